// Included before every C and C++ source of the engine (engine.cmake).
//
// gcc's _tile_loadconfig (amxtileintrin.h, seen in gcc 11 to 14) names a pointer's 8 bytes as the
// operand of ldtilecfg, which reads 64. At -O2 and above the stores that fill llama.cpp's
// configuration (ggml_tile_config_init in ggml-cpu/amx/mmq.cpp) are removed as dead, ldtilecfg
// finds garbage, and the processor answers with #GP: SIGSEGV at the first matrix multiplication.
// Known as llama.cpp pull request 26954, ollama issues 17006 and 17249, dspy pull request 10079.
// This names all 64 bytes. clang's is a builtin that knows them.
#if defined(__AMX_TILE__) && defined(__GNUC__) && !defined(__clang__)

#include <immintrin.h>

static inline __attribute__((always_inline)) void xnai_tile_loadconfig(const void *config) {
    __asm__ volatile("ldtilecfg\t%X0" : : "m"(*(const char(*)[64])config) : "memory");
}

#define _tile_loadconfig xnai_tile_loadconfig

#endif
