;; The largest 32-bit memory from the start. It is a second memory, beside the one with the answers.
(memory 65536)
