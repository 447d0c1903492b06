# Read by CMake right after llama.cpp's project() command (CMAKE_PROJECT_llama.cpp_INCLUDE).
# Its "common" library serves llama.cpp's own programs; llama-cpp-python switches it on through the
# cache, so that only a normal variable keeps it, and a good third of the build, out.
set(LLAMA_BUILD_COMMON OFF)
