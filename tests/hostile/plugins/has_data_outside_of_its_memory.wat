;; A data segment of which only the beginning is within the memory.
(data (i32.const 524284) "more than there is room for")
