// Features of least squared error for fixed shapes: the solution of the normal equations.

#pragma once

#include <cstdint>

#include "graphs.h"

namespace gstex {

// Moves features [N, C] to where the error of `sums` is least, by at most `rounds` rounds of conjugate gradients with
// the diagonal as preconditioner (Shewchuk, "An Introduction to the Conjugate Gradient Method Without the Agonizing
// Pain", B3); each channel by itself. sums: the normal equations at these features. plane: [C], which value of a pair
// each channel uses.
void solve_features(const PairSums &sums, int64_t count, int channels, int planes, const int32_t *plane, int rounds,
                    float *features);

} // namespace gstex
