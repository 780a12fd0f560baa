/// A text for a message: short and on one line.
func printable(_ text: String, _ length: Int = 60) -> String {
  let scalars = text.unicodeScalars
  let shown = scalars.prefix(length).map {
    $0.value < 0x20 || $0.value == 0x7F ? $0.escaped(asASCII: true) : String($0)
  }
  return shown.joined() + (scalars.dropFirst(length).isEmpty ? "" : "…")
}
