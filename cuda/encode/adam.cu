// The optimiser: Adam, and the numbers of a step that change from one to the next.

// The numbers of a step, float [FIT_KNOBS]: jitter x, jitter y, factor of the rates, 1 / (1 - beta1^n) and the same with
// beta2, and where its error is noted.
#define FIT_KNOBS 6

// One step (Kingma and Ba 2015, algorithm 1) of values [rows, columns]; a thread a value.
//
// rate: [columns]. knobs: [FIT_KNOBS], of this step.
extern "C" __global__ void fit_adam(float *values, const float *gradient, float *first_moment, float *second_moment,
                                    const float *rate, const float *knobs, float beta1, float beta2, int columns,
                                    int count) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= count) return;
    const float d = gradient[i];
    const float m = beta1 * first_moment[i] + (1.0f - beta1) * d;
    const float v = beta2 * second_moment[i] + (1.0f - beta2) * d * d;
    first_moment[i] = m;
    second_moment[i] = v;
    values[i] -= rate[i % columns] * knobs[2] * m * knobs[3] / (sqrtf(v * knobs[4]) + 1e-12f);
}

// now: [FIT_KNOBS]. One thread.
extern "C" __global__ void fit_set_knobs(float jitter_x, float jitter_y, float factor, float correct1, float correct2,
                                         float slot, float *now) {
    const float knobs[FIT_KNOBS] = {jitter_x, jitter_y, factor, correct1, correct2, slot};
    for (int i = 0; i < FIT_KNOBS; ++i) now[i] = knobs[i];
}

// losses[slot of the knobs] = loss [1], of this step. One thread.
extern "C" __global__ void fit_note_loss(const double *loss, const float *knobs, double *losses) {
    losses[int(knobs[5])] = loss[0];
}
