"""The self-test's process: what an engine computes, compared with what a plain build computed."""
