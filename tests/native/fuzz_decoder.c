// The target of tools/fuzz.sh: bytes to everything that gstex.h offers, and a mutator that gets past checksums.

#include "exercise.h"

#include "damage.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    exercise(data, size);
    return 0;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed) {
    uint8_t *bytes;
    size = LLVMFuzzerMutate(data, size, max_size);
    bytes = (uint8_t *)copy_of(data, size); // aligned, as files have to be
    repair(bytes, size, seed);
    memcpy(data, bytes, size);
    free(bytes);
    return size;
}
