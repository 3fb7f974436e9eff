;; A schema in which a setting is a list of lists of lists, without end.
(data (i32.const 1024) "\08\04\00\00\01\00\00\00")
(data (i32.const 1032) "\18\04\00\00\08\00\00\00\20\04\00\00\51\00\00\00")
(data (i32.const 1048) "settings")
(data (i32.const 1056)
  "{\22properties\22:{\22act\22:{\22$ref\22:\22#/x\22}},"
  "\22x\22:{\22type\22:\22array\22,\22items\22:{\22$ref\22:\22#/x\22}}}")
(func (export "retrans:plugin/processor@0.1.0#describe") (result i32)
  (i32.const 1024))
