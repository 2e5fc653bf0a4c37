// C = A * B or C += A * B for a few rows of A and a B that is packed once and used at every step.
//
// A library's matrix product would arrange B anew at each step. Here B is kept in panels of
// kPanel columns, each panel stored row by row, and a tile of kTileRows x kPanel sums stays in
// registers.
#pragma once

#include <stdint.h>
#include <string.h>

#if defined(__AVX512F__)
constexpr int kVectorBytes = 64, kTileRows = 8;
#elif defined(__AVX__)
constexpr int kVectorBytes = 32, kTileRows = 4;
#elif defined(__aarch64__)
constexpr int kVectorBytes = 16, kTileRows = 8;
#else
constexpr int kVectorBytes = 16, kTileRows = 4;
#endif
// Makes the compiler load a vector once instead of once per use: loads would be the bottleneck.
#if defined(__x86_64__) && defined(__AVX512F__)
#define KEEP_IN_REGISTER(value) __asm__("" : "+v"(value))
#elif defined(__x86_64__)
#define KEEP_IN_REGISTER(value) __asm__("" : "+x"(value))
#else
#define KEEP_IN_REGISTER(value)
#endif

constexpr int kVectors = 3;          // vectors in a panel's row
constexpr int64_t kDepthBlock = 640;  // rows of a panel used together: they fit the L2 cache

template <typename T> struct Panel {
  static constexpr int lanes = kVectorBytes / sizeof(T), width = kVectors * lanes;
  typedef T Vector __attribute__((vector_size(kVectorBytes)));

  static Vector load(const T *from) {
    Vector value;
    memcpy(&value, from, sizeof value);
    return value;
  }
  static int64_t count(int64_t columns) { return (columns + width - 1) / width; }
};

// B is (depth, columns), or its transpose is (columns, depth) if `transposed`; row-major.
template <typename T>
void pack(const T *b, int64_t depth, int64_t columns, bool transposed, T *packed, int threads) {
  using P = Panel<T>;
  const int64_t panels = P::count(columns);
#pragma omp parallel for schedule(static) num_threads(threads) if (threads > 1)
  for (int64_t panel = 0; panel < panels; ++panel) {
    T *to = packed + panel * depth * P::width;
    const int64_t first = panel * P::width;
    const int64_t here = columns - first < P::width ? columns - first : P::width;
    if (here < P::width) memset(to, 0, depth * P::width * sizeof(T));
    if (transposed) {
      constexpr int64_t strip = 16;  // rows of `to` that stay in the cache while columns are read
      for (int64_t start = 0; start < depth; start += strip)
        for (int64_t j = 0; j < here; ++j)
          for (int64_t k = start; k < depth && k < start + strip; ++k)
            to[k * P::width + j] = b[(first + j) * depth + k];
    } else {
      for (int64_t k = 0; k < depth; ++k)
        memcpy(to + k * P::width, b + k * columns + first, here * sizeof(T));
    }
  }
}

// `tile_rows` rows of C (row stride `ldc`) += A (row stride `lda`) * one panel, over `depth`; C is
// taken as zero if `overwrite`. Meanwhile `ahead`, a share of the next panel, is fetched,
// `ahead_step` elements for each k.
template <typename T, int tile_rows>
void multiply_tile(const T *a, int64_t lda, const T *panel, int64_t depth, T *c, int64_t ldc,
                   const T *ahead, int64_t ahead_step, bool overwrite) {
  using P = Panel<T>;
  typename P::Vector sums[tile_rows][kVectors];
  for (int r = 0; r < tile_rows; ++r)
    for (int v = 0; v < kVectors; ++v)
      sums[r][v] = overwrite ? typename P::Vector{} : P::load(c + r * ldc + v * P::lanes);
  for (int64_t k = 0; k < depth; ++k, panel += P::width) {
    typename P::Vector row[kVectors];
    for (int v = 0; v < kVectors; ++v) {
      row[v] = P::load(panel + v * P::lanes);
      KEEP_IN_REGISTER(row[v]);
    }
    __builtin_prefetch(ahead, 0, 2);
    ahead += ahead_step;
    for (int r = 0; r < tile_rows; ++r) {
      const T factor = a[r * lda + k];
      for (int v = 0; v < kVectors; ++v) sums[r][v] += factor * row[v];
    }
  }
  for (int r = 0; r < tile_rows; ++r)
    for (int v = 0; v < kVectors; ++v)
      memcpy(c + r * ldc + v * P::lanes, &sums[r][v], sizeof sums[r][v]);
}

template <typename T, int tile_rows>
void multiply_rows(int rows, const T *a, int64_t lda, const T *panel, int64_t depth, T *c,
                   int64_t ldc, const T *ahead, int64_t ahead_step, bool overwrite) {
  if (rows == tile_rows)
    multiply_tile<T, tile_rows>(a, lda, panel, depth, c, ldc, ahead, ahead_step, overwrite);
  else if constexpr (tile_rows > 1)
    multiply_rows<T, tile_rows - 1>(rows, a, lda, panel, depth, c, ldc, ahead, ahead_step,
                                    overwrite);
}

// C (rows, columns) += A (rows, depth) * packed B (depth, columns), or = if `overwrite`.
template <typename T>
void multiply(int64_t rows, int64_t depth, int64_t columns, const T *a, const T *packed, T *c,
              bool overwrite, int threads) {
  using P = Panel<T>;
  const int64_t panels = P::count(columns), tiles = (rows + kTileRows - 1) / kTileRows;
  const int64_t blocks = (depth + kDepthBlock - 1) / kDepthBlock;
  const int64_t block = (depth + blocks - 1) / blocks;
#pragma omp parallel num_threads(threads) if (threads > 1)
  for (int64_t k = 0; k < depth; k += block) {
    const int64_t deep = depth - k < block ? depth - k : block;
    const bool fresh = overwrite && k == 0;
#pragma omp for schedule(static) nowait  // a panel's columns always belong to the same thread
    for (int64_t panel = 0; panel < panels; ++panel) {
      const T *from = packed + panel * depth * P::width + k * P::width;
      const int64_t first = panel * P::width;
      const bool whole = columns - first >= P::width;
      const int64_t ahead_step = (P::width + tiles - 1) / tiles;
      for (int64_t tile = 0; tile < tiles; ++tile) {
        const T *ahead = from + depth * P::width + tile * deep * ahead_step;
        const int64_t row = rows * tile / tiles;
        const int here = int(rows * (tile + 1) / tiles - row);
        const T *a_tile = a + row * depth + k;
        T *c_tile = c + row * columns + first;
        if (whole) {
          multiply_rows<T, kTileRows>(here, a_tile, depth, from, deep, c_tile, columns, ahead,
                                      ahead_step, fresh);
          continue;
        }
        const int64_t narrow = (columns - first) * sizeof(T);
        T edge[kTileRows * P::width] = {};
        for (int r = 0; r < here; ++r) memcpy(edge + r * P::width, c_tile + r * columns, narrow);
        multiply_rows<T, kTileRows>(here, a_tile, depth, from, deep, edge, P::width, ahead,
                                    ahead_step, fresh);
        for (int r = 0; r < here; ++r) memcpy(c_tile + r * columns, edge + r * P::width, narrow);
      }
    }
  }
}
