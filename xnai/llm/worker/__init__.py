"""The child process that computes: loop, scheduler, prefix cache, sampler."""
