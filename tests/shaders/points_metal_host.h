// Follows points.metal: reads the number of words, the words, arguments and points, and writes what is found.

#include <cstdio>
#include <vector>

int main() {
    uint count, arguments[3];
    if (std::fread(&count, 4, 1, stdin) != 1) return 1;
    std::vector<uint> words(count);
    if (std::fread(words.data(), 4, count, stdin) != count || std::fread(arguments, 4, 3, stdin) != 3) return 1;
    std::vector<float4> points(2 * arguments[1]);
    if (std::fread(points.data(), sizeof(float4), points.size(), stdin) != points.size()) return 1;
    std::vector<float> found(16 * arguments[1]);
    for (uint i = 0; i < arguments[1]; ++i) call_points(words.data(), points.data(), found.data(), arguments, i);
    return std::fwrite(found.data(), 4, found.size(), stdout) == found.size() ? 0 : 1;
}
