"""What the tests share: the server as a process, a client that may send anything, signatures, checksums, assertions."""
