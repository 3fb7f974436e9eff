;; As much memory as WebAssembly with 32 bits knows of, from the beginning. Nobody asks for it again:
;; it is a second memory, beside the one that answers are in.
(memory 65536)
