"""What tests and benches share: servers, pages and dependencies to try the program against."""
