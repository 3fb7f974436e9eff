;; The function that allocates a call's parameters returns an address beyond the memory's end.
(func (export "cabi_realloc") (param i32 i32 i32) (param $bytes i32) (result i32)
  (select (i32.const 0xfffffff0) (i32.const 65536) (i32.gt_u (local.get $bytes) (i32.const 100))))
