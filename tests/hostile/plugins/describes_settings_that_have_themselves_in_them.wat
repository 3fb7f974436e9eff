;; A schema that refers to itself in sixteen places: a search for the types of a setting visits 16, 256,
;; 4,096 places and so on.
(data (i32.const 1024) "\08\04\00\00\01\00\00\00")
(data (i32.const 1032) "\18\04\00\00\08\00\00\00\20\04\00\00\25\01\00\00")
(data (i32.const 1048) "settings")
(data (i32.const 1056)
  "{\22properties\22:{\22act\22:{\22$ref\22:\22#/x\22}},\22x\22:{\22anyOf\22:["
  "{\22$ref\22:\22#/x\22},{\22$ref\22:\22#/x\22},{\22$ref\22:\22#/x\22},{\22$ref\22:\22#/x\22},"
  "{\22$ref\22:\22#/x\22},{\22$ref\22:\22#/x\22},{\22$ref\22:\22#/x\22},{\22$ref\22:\22#/x\22},"
  "{\22$ref\22:\22#/x\22},{\22$ref\22:\22#/x\22},{\22$ref\22:\22#/x\22},{\22$ref\22:\22#/x\22},"
  "{\22$ref\22:\22#/x\22},{\22$ref\22:\22#/x\22},{\22$ref\22:\22#/x\22},{\22$ref\22:\22#/x\22}"
  "]}}")
(func (export "retrans:plugin/processor@0.1.0#describe") (result i32)
  (i32.const 1024))
