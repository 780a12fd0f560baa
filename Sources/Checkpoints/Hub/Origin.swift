/// Scheme, host and port of an address: what a token is meant for.
struct Origin: Equatable {
  let scheme: String
  /// Host and port, in lower case, without the scheme's own port.
  let authority: String

  /// Nothing for what is neither http nor https.
  init?(_ address: String) {
    let lower = address.lowercased()
    guard let scheme = ["https", "http"].first(where: { lower.hasPrefix($0 + "://") }),
      address.utf8.allSatisfy({ (0x21...0x7E).contains($0) && $0 != UInt8(ascii: "\\") })
    else { return nil }
    var authority = lower.dropFirst(scheme.count + 3).prefix { !"/?#".contains($0) }
    // What stands before '@' is a name, not the host.
    if let at = authority.lastIndex(of: "@") {
      authority = authority[authority.index(after: at)...]
    }
    let port = scheme == "https" ? ":443" : ":80"
    if authority.hasSuffix(port) { authority.removeLast(port.count) }
    guard !authority.isEmpty else { return nil }
    self.scheme = scheme
    self.authority = String(authority)
  }

  /// The address that a redirect from `base` names.
  static func resolve(_ location: String, from base: String) -> String? {
    if Origin(location) != nil { return location }
    guard let origin = Origin(base), !location.isEmpty,
      location.utf8.allSatisfy({ (0x21...0x7E).contains($0) && $0 != UInt8(ascii: "\\") })
    else { return nil }
    if location.hasPrefix("//") { return origin.scheme + ":" + location }
    let root = origin.scheme + "://" + origin.authority
    if location.hasPrefix("/") { return root + location }
    // Another scheme is not followed.
    guard !location.prefix(while: { !"/?#".contains($0) }).contains(":") else { return nil }
    let path = base.dropFirst(base.prefix { $0 != ":" }.count + 3).drop { $0 != "/" }
      .prefix { !"?#".contains($0) }
    let folder = path.lastIndex(of: "/").map { path[...$0] } ?? "/"
    return root + (folder.isEmpty ? "/" : folder) + location
  }
}
