// Forward and backward of one recurrent layer over a packed sequence, for any cell of the search
// space. Called through ctypes by kernel_backend.py, which owns all memory.
//
// N is the base number, H the hidden size; step t has batch_sizes[t] rows, never more than the step
// before it. All arrays are contiguous, row-major, of the function's floating-point type.

#include "product.h"
#include "tree.h"

extern "C" {

struct Sequence {
  const int32_t *program;      // see tree.h
  const int64_t *batch_sizes;  // (steps,)
  int64_t steps, hidden, threads;
  void *gates_x;        // (n, N * H) x W_x; forward leaves in it what backward needs
  void *gates_h;        // (n, N * H) h W_h + b, written by forward; null when every leaf adds
  void *weight_h;       // (H, N * H)
  void *packed;         // work space for weight_h in panels
  void *bias;           // (N * H,) or null
  void *hidden_mask;    // (batch, H) or null
  void *masked_hidden;  // (batch, H) work space if there is a mask
  void *hidden_0, *memory_0;  // (batch, H)
  void *hidden_all, *memory_all;  // (n, H)
  // backward only
  void *grad_hidden;   // (n, H)
  void *grad_gates_x;  // (n, N * H), written
  void *grad_gates_h;  // (n, N * H), written; null when every leaf adds
  void *grad_hidden_0;  // (batch, H), zero on entry
  void *grad_memory_0;  // (batch, H), on entry the gradient of the last c_t of every sequence
};

int64_t cell_packed_elements_float(int64_t depth, int64_t columns) {
  return depth * Panel<float>::count(columns) * Panel<float>::width;
}
int64_t cell_packed_elements_double(int64_t depth, int64_t columns) {
  return depth * Panel<double>::count(columns) * Panel<double>::width;
}

}  // extern "C"

namespace {

template <typename T> T *at(void *base, int64_t row, int64_t width) {
  return base ? static_cast<T *>(base) + row * width : nullptr;
}

template <typename T>
void step_forward(const Sequence &s, const Cell &cell, int64_t first, int64_t rows,
                  const T *memory) {
  const int64_t hidden = s.hidden, width = cell.leaves * hidden;
  const int threads = int(s.threads);
#pragma omp parallel for schedule(static) num_threads(threads) if (threads > 1)
  for (int64_t row = 0; row < rows; ++row) {
    Block<T> block;
    T *gates_x = at<T>(s.gates_x, first + row, width);
    const T *gates_h = at<T>(s.gates_h, first + row, width);
    T *new_hidden = at<T>(s.hidden_all, first + row, hidden);
    T *new_memory = at<T>(s.memory_all, first + row, hidden);
    for (int64_t j = 0; j < hidden; j += kBlock) {
      const int count = int(hidden - j < kBlock ? hidden - j : kBlock);
      block.template forward<false>(cell, gates_x + j, gates_h ? gates_h + j : nullptr,
                                    memory + row * hidden + j, new_memory + j, hidden, count);
      memcpy(new_hidden + j, block.value[cell.nodes - 1], count * sizeof(T));
    }
  }
}

template <typename T>
void step_backward(const Sequence &s, const Cell &cell, int64_t first, int64_t rows,
                   const T *memory) {
  const int64_t hidden = s.hidden, width = cell.leaves * hidden;
  const int threads = int(s.threads);
#pragma omp parallel for schedule(static) num_threads(threads) if (threads > 1)
  for (int64_t row = 0; row < rows; ++row) {
    Block<T> block;
    T *gates_x = at<T>(s.gates_x, first + row, width);
    const T *gates_h = at<T>(s.gates_h, first + row, width);
    T *grad_x = at<T>(s.grad_gates_x, first + row, width);
    T *grad_h = at<T>(s.grad_gates_h, first + row, width);
    const T *grad_here = at<T>(s.grad_hidden, first + row, hidden);
    T *grad_later = at<T>(s.grad_hidden_0, row, hidden);
    T *grad_memory = at<T>(s.grad_memory_0, row, hidden);
    for (int64_t j = 0; j < hidden; j += kBlock) {
      const int count = int(hidden - j < kBlock ? hidden - j : kBlock);
      const int n = (count + kRound - 1) / kRound * kRound;
      const T *block_h = gates_h ? gates_h + j : nullptr;
      block.template forward<true>(cell, gates_x + j, block_h, memory + row * hidden + j, nullptr,
                                   hidden, count);
      T *grad_root = block.grad[cell.nodes - 1];
      for (int i = 0; i < count; ++i) grad_root[i] = grad_here[j + i] + grad_later[j + i];
      for (int i = count; i < n; ++i) grad_root[i] = 0;
      Block<T>::copy_in(block.grad_memory, grad_memory + j, count, n);
      block.backward(cell, gates_x + j, block_h, grad_x + j, grad_h ? grad_h + j : nullptr, hidden,
                     count);
      memcpy(grad_memory + j, block.grad_memory, count * sizeof(T));
    }
  }
}

template <typename T> void multiply_elements(T *values, const T *mask, int64_t count) {
  for (int64_t i = 0; i < count; ++i) values[i] *= mask[i];
}

template <typename T> void forward(const Sequence &s) {
  const Cell cell(s.program);
  const int64_t hidden = s.hidden, width = cell.leaves * hidden;
  const int threads = int(s.threads);
  T *packed = static_cast<T *>(s.packed);
  pack(static_cast<const T *>(s.weight_h), hidden, width, false, packed, threads);
  const T *previous_h = static_cast<const T *>(s.hidden_0);
  const T *previous_c = static_cast<const T *>(s.memory_0);
  const T *bias = static_cast<const T *>(s.bias);
  T *masked = static_cast<T *>(s.masked_hidden);
  int64_t first = 0;
  for (int64_t step = 0; step < s.steps; ++step) {
    const int64_t rows = s.batch_sizes[step];
    if (s.hidden_mask) {
      memcpy(masked, previous_h, rows * hidden * sizeof(T));
      multiply_elements(masked, static_cast<const T *>(s.hidden_mask), rows * hidden);
    }
    T *sums = at<T>(s.gates_h ? s.gates_h : s.gates_x, first, width);
    for (int64_t row = 0; bias && row < rows; ++row) {
      T *to = sums + row * width;
      if (s.gates_h)
        memcpy(to, bias, width * sizeof(T));
      else
        for (int64_t j = 0; j < width; ++j) to[j] += bias[j];
    }
    multiply(rows, hidden, width, s.hidden_mask ? masked : previous_h, packed, sums,
             s.gates_h && !bias, threads);
    step_forward<T>(s, cell, first, rows, previous_c);
    previous_h = at<T>(s.hidden_all, first, hidden);
    previous_c = at<T>(s.memory_all, first, hidden);
    first += rows;
  }
}

template <typename T> void backward(const Sequence &s) {
  const Cell cell(s.program);
  const int64_t hidden = s.hidden, width = cell.leaves * hidden;
  const int threads = int(s.threads);
  T *packed = static_cast<T *>(s.packed);
  pack(static_cast<const T *>(s.weight_h), width, hidden, true, packed, threads);
  T *grad_hidden = static_cast<T *>(s.grad_hidden_0);
  int64_t first = 0;
  for (int64_t step = 0; step < s.steps; ++step) first += s.batch_sizes[step];
  for (int64_t step = s.steps - 1; step >= 0; --step) {
    const int64_t rows = s.batch_sizes[step];
    first -= rows;
    const T *memory = step ? at<T>(s.memory_all, first - s.batch_sizes[step - 1], hidden)
                           : static_cast<const T *>(s.memory_0);
    step_backward<T>(s, cell, first, rows, memory);
    const T *grad_gates = at<T>(s.grad_gates_h ? s.grad_gates_h : s.grad_gates_x, first, width);
    multiply(rows, width, hidden, grad_gates, packed, grad_hidden, true, threads);
    if (s.hidden_mask)
      multiply_elements(grad_hidden, static_cast<const T *>(s.hidden_mask), rows * hidden);
  }
}

}  // namespace

extern "C" {

void cell_forward_float(const Sequence *s) { forward<float>(*s); }
void cell_forward_double(const Sequence *s) { forward<double>(*s); }
void cell_backward_float(const Sequence *s) { backward<float>(*s); }
void cell_backward_double(const Sequence *s) { backward<double>(*s); }

// C (rows, columns) = A (rows, depth) * B (depth, columns), all contiguous and row-major; B is given
// transposed if `transposed`. `packed` is work space of cell_packed_elements_float(depth, columns).
void cell_product_float(int64_t rows, int64_t depth, int64_t columns, const float *a,
                        const float *b, int64_t transposed, float *packed, float *c,
                        int64_t threads) {
  pack(b, depth, columns, transposed != 0, packed, int(threads));
  multiply(rows, depth, columns, a, packed, c, true, int(threads));
}

int64_t cell_vector_bytes() { return kVectorBytes; }

// One step of the tree without its matrix products, from given gates; memory_0 is c_{t-1}.
void cell_tree_forward_float(const Sequence *s) {
  step_forward<float>(*s, Cell(s->program), 0, s->batch_sizes[0],
                      static_cast<const float *>(s->memory_0));
}
void cell_tree_backward_float(const Sequence *s) {
  step_backward<float>(*s, Cell(s->program), 0, s->batch_sizes[0],
                       static_cast<const float *>(s->memory_0));
}

}  // extern "C"
