// The element-wise tree of a cell (paper, section 3.4), forward and backward, as an interpreter:
// the cell is data, so that a new one costs no compilation.
//
// The loop over nodes is outside and the loop over a block of elements inside, so each operation of
// the program is one vectorised loop over data in the first-level cache.
#pragma once

#include "vector_math.h"

constexpr int kBlock = 128;     // elements interpreted together; a multiple of kRound
constexpr int kRound = 16;      // blocks are computed in whole multiples of this
constexpr int kMaxNodes = 127;  // base number 64

enum Combination { kAdd, kMultiply, kMaximum };
enum Activation { kIdentity, kTanh, kSigmoid, kRelu, kSin };

// The program as written by program_of in kernel_backend.py.
struct Cell {
  int leaves, nodes;
  const int32_t *functions;  // (combination, activation) of each node, then of the inject
  int cell_index, inject_index;

  explicit Cell(const int32_t *program)
      : leaves(program[0]), nodes(2 * program[0] - 1), functions(program + 3),
        cell_index(program[1]), inject_index(program[2]) {}
  int combination(int node) const { return functions[2 * node]; }
  int activation(int node) const { return functions[2 * node + 1]; }
  int left(int node) const { return 2 * (node - leaves); }
  // Whether forward replaces this leaf's x W_x by its activation, all that backward needs of it.
  bool kept(int leaf) const { return combination(leaf) == kAdd && activation(leaf) != kSin; }
};

#define FOR_BLOCK for (int i = 0; i < n; ++i)

template <typename T>
inline void combine(int kind, const T *__restrict a, const T *__restrict b, T *__restrict out,
                    int n) {
  switch (kind) {
  case kAdd: FOR_BLOCK out[i] = a[i] + b[i]; break;
  case kMultiply: FOR_BLOCK out[i] = a[i] * b[i]; break;
  default: FOR_BLOCK out[i] = (a[i] > b[i] || a[i] != a[i]) ? a[i] : b[i];  // NaN wins
  }
}

template <typename T> inline bool within(const T *x, T limit, int n) {
  T largest = 0;
  FOR_BLOCK {
    const T size = x[i] < 0 ? -x[i] : x[i];
    largest = size <= largest ? largest : size;  // a NaN may hide: it stays NaN either way
  }
  return largest <= limit;
}

// A loop of its own: inside the others compilers turn it into slower code.
template <typename T> inline void clamp_all(T *x, T limit, int n) {
  FOR_BLOCK x[i] = clamp(x[i], limit);
}

// In place
template <typename T> inline void activate(int kind, T *x, int n) {
  switch (kind) {
  case kIdentity: break;
  case kTanh:
    clamp_all(x, Real<T>::tanh_limit, n);
    FOR_BLOCK x[i] = tanh_of(x[i]);
    break;
  case kSigmoid:
    clamp_all(x, Real<T>::exp_limit, n);
    FOR_BLOCK x[i] = sigmoid(x[i]);
    break;
  case kRelu: FOR_BLOCK x[i] = x[i] < 0 ? T(0) : x[i]; break;
  default:
    if (within(x, Real<T>::sin_limit, n))
      FOR_BLOCK x[i] = sin_of(x[i]);
    else
      FOR_BLOCK x[i] = T(__builtin_sin(double(x[i])));
  }
}

// grad * act'(x), given out = act(x); in place
template <typename T>
inline void activate_backward(int kind, const T *__restrict x, const T *__restrict out,
                              T *__restrict grad, int n) {
  switch (kind) {
  case kIdentity: break;
  case kTanh: FOR_BLOCK grad[i] *= T(1) - out[i] * out[i]; break;
  case kSigmoid: FOR_BLOCK grad[i] *= out[i] * (T(1) - out[i]); break;
  case kRelu: FOR_BLOCK grad[i] = out[i] > 0 ? grad[i] : T(0); break;
  default:
    if (within(x, Real<T>::sin_limit, n))
      FOR_BLOCK grad[i] *= cos_of(x[i]);
    else
      FOR_BLOCK grad[i] *= T(__builtin_cos(double(x[i])));
  }
}

// Gradients of both operands; the larger operand of a maximum takes all, equal ones half each.
template <typename T>
inline void combine_backward(int kind, const T *__restrict a, const T *__restrict b,
                             const T *__restrict grad, T *__restrict grad_a, T *__restrict grad_b,
                             int n) {
  switch (kind) {
  case kAdd: FOR_BLOCK grad_a[i] = grad_b[i] = grad[i]; break;
  case kMultiply:
    FOR_BLOCK {
      grad_a[i] = grad[i] * b[i];
      grad_b[i] = grad[i] * a[i];
    }
    break;
  default:
    FOR_BLOCK {
      const T share = a[i] == b[i] ? T(0.5) : (a[i] < b[i] ? T(0) : T(1));
      grad_a[i] = grad[i] * share;
      grad_b[i] = grad[i] * (T(1) - share);
    }
  }
}

// One block of elements of one row. Node buffers are computed up to a multiple of kRound; what lies
// beyond the block's end is never stored.
template <typename T> struct Block {
  alignas(64) T value[kMaxNodes][kBlock];   // what the parent reads
  alignas(64) T grad[kMaxNodes][kBlock];    // with respect to value
  alignas(64) T before[kMaxNodes][kBlock];  // before the activation, of nodes with a sine
  alignas(64) T uninjected[kBlock], injected[kBlock], memory[kBlock], grad_memory[kBlock];

  // Evaluates all nodes. gates_h may be null when every leaf adds and gates_x holds the sum. The
  // first time (`again` false) it writes c_t to new_memory and the activations of kept leaves over
  // gates_x; again, before backward, it reads them there.
  template <bool again>
  void forward(const Cell &cell, T *gates_x, const T *gates_h, const T *memory_in, T *new_memory,
               int64_t stride, int count) {
    const int n = (count + kRound - 1) / kRound * kRound;
    copy_in(memory, memory_in, count, n);
    for (int node = 0; node < cell.nodes; ++node) {
      T *x = value[node];
      T *from_x = gates_x + node * stride;
      const bool leaf = node < cell.leaves, kept = leaf && cell.kept(node);
      if (leaf && (!gates_h || (again && kept))) {
        copy_in(x, from_x, count, n);
      } else if (leaf) {
        combine(cell.combination(node), from_x, gates_h + node * stride, x, count);
        for (int i = count; i < n; ++i) x[i] = 0;
      } else {
        const int left = cell.left(node);
        combine(cell.combination(node), value[left], value[left + 1], x, n);
      }
      if (!again && node == cell.cell_index) memcpy(new_memory, x, count * sizeof(T));
      if (!again || !kept) {
        if (again && cell.activation(node) == kSin) memcpy(before[node], x, n * sizeof(T));
        activate(cell.activation(node), x, n);
        if (!again && kept) memcpy(from_x, x, count * sizeof(T));
      }
      if (node == cell.inject_index) inject(cell, x, n);
    }
  }

  void inject(const Cell &cell, T *x, int n) {
    memcpy(uninjected, x, n * sizeof(T));
    combine(cell.combination(cell.nodes), uninjected, memory, x, n);
    memcpy(injected, x, n * sizeof(T));
    activate(cell.activation(cell.nodes), x, n);
  }

  // After forward<true>: grad[root] and grad_memory (of c_t) are given; writes the gradients of
  // the gates and, into grad_memory, of c_{t-1}. grad_gates_h may be null when every leaf adds.
  void backward(const Cell &cell, const T *gates_x, const T *gates_h, T *grad_gates_x,
                T *grad_gates_h, int64_t stride, int count) {
    const int n = (count + kRound - 1) / kRound * kRound;
    alignas(64) T grad_previous[kBlock], scratch[kBlock];
    for (int node = cell.nodes - 1; node >= 0; --node) {
      T *g = grad[node];
      const T *activated = value[node];
      if (node == cell.inject_index) {
        activate_backward(cell.activation(cell.nodes), injected, value[node], g, n);
        memcpy(scratch, g, n * sizeof(T));
        combine_backward(cell.combination(cell.nodes), uninjected, memory, scratch, g,
                         grad_previous, n);
        activated = uninjected;
      }
      activate_backward(cell.activation(node), before[node], activated, g, n);
      if (node == cell.cell_index) FOR_BLOCK g[i] += grad_memory[i];
      if (node >= cell.leaves) {
        const int left = cell.left(node);
        combine_backward(cell.combination(node), value[left], value[left + 1], g, grad[left],
                         grad[left + 1], n);
      } else if (grad_gates_h) {
        const int64_t at = node * stride;
        combine_backward(cell.combination(node), gates_x + at, gates_h + at, g, grad_gates_x + at,
                         grad_gates_h + at, count);
      } else {
        memcpy(grad_gates_x + node * stride, g, count * sizeof(T));
      }
    }
    memcpy(grad_memory, grad_previous, n * sizeof(T));
  }

  static void copy_in(T *to, const T *from, int count, int n) {
    memcpy(to, from, count * sizeof(T));
    for (int i = count; i < n; ++i) to[i] = 0;
  }
};

#undef FOR_BLOCK
