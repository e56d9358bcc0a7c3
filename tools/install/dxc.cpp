// dxc.cpp: the command `dxc` from the library of Microsoft's DirectX Shader Compiler, of which no package for Linux has the
// command itself. tools/install/dxc.sh compiles it.
//
//     dxc -T cs_6_0 [-E main] [-spirv] [-D NAME=1] ... -Fo OUTPUT SOURCE      arguments are those of dxc, SOURCE the last

#include <dlfcn.h>

#include <cstdio>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "WinAdapter.h"
#include "dxcapi.h"

int main(int count, char **given) {
    void *library = dlopen(DXC_LIBRARY, RTLD_NOW);
    if (!library) return std::fprintf(stderr, "%s\n", dlerror()), 2;
    DxcCreateInstanceProc create = (DxcCreateInstanceProc)dlsym(library, "DxcCreateInstance");
    IDxcLibrary *helper = nullptr;
    IDxcCompiler *compiler = nullptr;
    if (!create || create(CLSID_DxcLibrary, __uuidof(IDxcLibrary), (void **)&helper) < 0 ||
        create(CLSID_DxcCompiler, __uuidof(IDxcCompiler), (void **)&compiler) < 0)
        return std::fprintf(stderr, "no compiler in the library\n"), 2;

    std::ifstream file(given[count - 1], std::ios::binary);
    std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
    std::string output;
    std::wstring entry = L"main", profile;
    std::vector<std::wstring> words;
    for (int i = 1; i < count - 1; ++i) {
        std::wstring word(given[i], given[i] + std::string(given[i]).size());
        if (word == L"-Fo")
            output = given[++i];
        else if ((word == L"-T" || word == L"-E") && i + 2 < count) {
            std::string next = given[++i];
            (word == L"-T" ? profile : entry).assign(next.begin(), next.end());
        } else
            words.push_back(word);
    }
    std::vector<const wchar_t *> arguments;
    for (const std::wstring &word : words) arguments.push_back(word.c_str());

    IDxcBlobEncoding *source = nullptr, *errors = nullptr;
    IDxcOperationResult *result = nullptr;
    IDxcBlob *made = nullptr;
    if (helper->CreateBlobWithEncodingOnHeapCopy(text.data(), (UINT32)text.size(), CP_UTF8, &source) < 0 ||
        compiler->Compile(source, L"shader.hlsl", entry.c_str(), profile.c_str(), arguments.data(),
                          (UINT32)arguments.size(), nullptr, 0, nullptr, &result) < 0)
        return std::fprintf(stderr, "the compiler takes no such arguments\n"), 2;
    HRESULT status = 0;
    result->GetStatus(&status);
    if (result->GetErrorBuffer(&errors) >= 0 && errors)
        std::fprintf(stderr, "%.*s", (int)errors->GetBufferSize(), (const char *)errors->GetBufferPointer());
    if (status < 0 || result->GetResult(&made) < 0) return 1;
    std::ofstream(output, std::ios::binary).write((const char *)made->GetBufferPointer(), made->GetBufferSize());
    return 0;
}
