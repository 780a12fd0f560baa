import TestSupport

/// The bytes of a safetensors file with this header, right or wrong.
func safetensorsBytes(_ header: String, data: [UInt8] = []) -> [UInt8] {
  little(UInt64(header.utf8.count)) + Array(header.utf8) + data
}
