// exp, tanh, sigmoid, sin and cos as branch-free code, so that loops over them vectorise.
//
// Errors are a few units in the last place of float or double; NaN stays NaN. Polynomials are
// Taylor series on ranges so short that the remainder is below the rounding error.
#pragma once

#include <stdint.h>
#include <string.h>

template <typename T> struct Real;

template <> struct Real<float> {
  using Bits = int32_t;
  static constexpr int mantissa_bits = 23, exp_degree = 7, sin_terms = 7;
  static constexpr Bits one = 0x3f800000;
  static constexpr float round_magic = 12582912.0f;  // 1.5 * 2^23: adding it rounds to an integer
  static constexpr float ln2_high = 0.693359375f, ln2_low = -2.12194440e-4f;
  static constexpr float pi_high = 3.140625f, pi_middle = 9.67502593994140625e-4f,
                         pi_low = 1.509957990978376432e-7f;
  static constexpr float exp_limit = 87.0f, tanh_limit = 10.0f, sin_limit = 8192.0f;
};

template <> struct Real<double> {
  using Bits = int64_t;
  static constexpr int mantissa_bits = 52, exp_degree = 14, sin_terms = 12;
  static constexpr Bits one = 0x3ff0000000000000;
  static constexpr double round_magic = 6755399441055744.0;  // 1.5 * 2^52
  static constexpr double ln2_high = 6.93147180369123816490e-01,
                          ln2_low = 1.90821492927058770002e-10;
  static constexpr double pi_high = 3.14159250259399414062, pi_middle = 1.50995788317231927070e-7,
                          pi_low = 1.07806057163162381e-14;
  static constexpr double exp_limit = 700.0, tanh_limit = 22.0, sin_limit = 1e6;
};

template <typename T> constexpr T inverse_factorial(int n) {
  return n <= 1 ? T(1) : inverse_factorial<T>(n - 1) / T(n);
}

// sum of x^i / (first + i * step)! * sign^i for i < terms
template <typename T, int first, int step, int sign, int terms> inline T series(T x) {
  if constexpr (terms == 1) {
    return inverse_factorial<T>(first);
  } else {
    const T rest = series<T, first + step, step, sign, terms - 1>(x);
    return inverse_factorial<T>(first) + (sign < 0 ? -x : x) * rest;
  }
}

template <typename T> inline T from_bits(typename Real<T>::Bits bits) {
  T value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

template <typename T> inline typename Real<T>::Bits to_bits(T value) {
  typename Real<T>::Bits bits;
  memcpy(&bits, &value, sizeof bits);
  return bits;
}

template <typename T> inline T clamp(T x, T limit) {
  x = x < -limit ? -limit : x;
  return x > limit ? limit : x;
}

// exp(x) = power * (1 + rest) with |x - log(power)| <= ln(2) / 2, for |x| <= exp_limit
template <typename T> struct SplitExp {
  T power, rest;
  explicit SplitExp(T x) {
    using R = Real<T>;
    const T shifted = x * T(1.4426950408889634) + R::round_magic;  // x / ln(2), rounded, + magic
    const T whole = shifted - R::round_magic;
    const T r = (x - whole * R::ln2_high) - whole * R::ln2_low;
    using Unsigned = decltype(sizeof(0));
    const auto bits = static_cast<typename R::Bits>(
        static_cast<Unsigned>(to_bits(shifted)) << R::mantissa_bits);
    power = from_bits<T>(bits + R::one);
    rest = r + r * r * series<T, 2, 1, 1, R::exp_degree - 1>(r);
  }
};

// For |x| <= exp_limit
template <typename T> inline T sigmoid(T x) {
  const SplitExp<T> e(-x);
  return T(1) / (T(1) + (e.power * e.rest + e.power));
}

// tanh(x) = (e - 1) / (e + 1) with e = exp(2x); e - 1 without cancellation near 0.
// For |x| <= tanh_limit
template <typename T> inline T tanh_of(T x) {
  const SplitExp<T> e(T(2) * x);
  const T e_minus_1 = e.power * e.rest + (e.power - T(1));
  return e_minus_1 / (e_minus_1 + T(2));
}

// x = whole * pi + r with |r| <= pi / 2; sin(x) = (-1)^whole sin(r), and cos alike
template <typename T> struct HalfTurns {
  T r;
  typename Real<T>::Bits sign;
  explicit HalfTurns(T x) {
    using R = Real<T>;
    const T shifted = x * T(0.3183098861837907) + R::round_magic;
    const T whole = shifted - R::round_magic;
    r = ((x - whole * R::pi_high) - whole * R::pi_middle) - whole * R::pi_low;
    using Unsigned = decltype(sizeof(0));
    sign = static_cast<typename R::Bits>(static_cast<Unsigned>(to_bits(shifted))
                                         << (8 * sizeof(T) - 1));
  }
};

// For |x| <= sin_limit
template <typename T> inline T sin_of(T x) {
  const HalfTurns<T> turns(x);
  const T square = turns.r * turns.r;
  const T rest = series<T, 3, 2, -1, Real<T>::sin_terms - 1>(square);
  return from_bits<T>(to_bits(turns.r - turns.r * square * rest) ^ turns.sign);
}

// For |x| <= sin_limit
template <typename T> inline T cos_of(T x) {
  const HalfTurns<T> turns(x);
  const T square = turns.r * turns.r;
  const T value = T(1) - square * series<T, 2, 2, -1, Real<T>::sin_terms>(square);
  return from_bits<T>(to_bits(value) ^ turns.sign);
}
