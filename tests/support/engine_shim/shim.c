// Preloaded into the engine's processes: makes one build of it fail, as a bad build would.
//
// GGML_SHIM_BUILD names the build (ENGINE_BUILD of the process), GGML_SHIM_FAULT what it does:
// "crash"
// raises SIGILL in the first step, "wrong" turns the logits round, "hang" does not come back. With
// GGML_SHIM_WHEN it does so only while that file exists.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *fault(void) {
    const char *build = getenv("GGML_SHIM_BUILD"), *here = getenv("ENGINE_BUILD");
    const char *when = getenv("GGML_SHIM_WHEN");
    if (!build || !here || strcmp(build, here) || (when && access(when, F_OK))) return "";
    return getenv("GGML_SHIM_FAULT");
}

static void *real(const char *name) {
    void *library = dlopen("libggml-base.so.0", RTLD_NOW | RTLD_NOLOAD);
    return library ? dlsym(library, name) : NULL;
}

int ggml_backend_sched_graph_compute_async(void *scheduler, void *graph) {
    int (*compute)(void *, void *) = real("ggml_backend_sched_graph_compute_async");
    if (!strcmp(fault(), "crash")) raise(SIGILL);
    if (!strcmp(fault(), "hang")) for (;;) pause();
    return compute(scheduler, graph);
}

void ggml_backend_tensor_get_async(void *backend, void *tensor, void *data, size_t offset,
                                   size_t size) {
    void (*get)(void *, void *, void *, size_t, size_t) = real("ggml_backend_tensor_get_async");
    get(backend, tensor, data, offset, size);
    if (strcmp(fault(), "wrong")) return;
    float *logits = data;
    for (size_t i = 0; i < size / sizeof *logits; i++) logits[i] = -logits[i];
}
