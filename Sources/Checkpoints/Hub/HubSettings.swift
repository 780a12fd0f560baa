public import Foundation

/// Where the hub and its cache are, and how to speak with it.
///
/// Every setting comes from the variables that Hugging Face's own programs read, so that both share
/// one cache and one login.
public struct HubSettings: Sendable {
  /// The hub's address, without a slash at its end (`HF_ENDPOINT`).
  public var endpoint: String
  /// The cache (`HF_HUB_CACHE`, `HUGGINGFACE_HUB_CACHE`, else `hub` in `home`).
  public var cache: URL
  /// Who asks (`HF_TOKEN`, `HUGGING_FACE_HUB_TOKEN`, else the file that a login left).
  public var token: String?
  /// The variable that forbids the network, if one does (`HF_HUB_OFFLINE`, `TRANSFORMERS_OFFLINE`).
  public var offline: String?
  /// The most seconds without a byte (`HF_HUB_DOWNLOAD_TIMEOUT`).
  public var idleSeconds = 30
  /// A copy of libcurl in place of the system's (`TELESCOPE_LIBCURL`).
  public var library: String?
  /// A file of trusted certificates (`REQUESTS_CA_BUNDLE`, `CURL_CA_BUNDLE`, `SSL_CERT_FILE`).
  public var certificates: String?
  /// The seconds before each further try.
  package var retryDelays: [Double] = [0.5, 1, 2, 4]

  /// Reads the settings.
  ///
  /// - Parameter environment: The variables.
  /// - Throws: `usage` for a setting that cannot be meant, `unreadable` for a token file that is
  ///   there and cannot be read.
  public init(
    environment: [String: String] = ProcessInfo.processInfo.environment
  ) throws(CheckpointError) {
    func value(_ names: String...) -> String? {
      names.lazy.compactMap { environment[$0] }.first { !$0.isEmpty }
    }
    func path(_ names: String...) -> String? {
      names.lazy.compactMap { value($0) }.first.map { Self.expanded($0, environment) }
    }
    endpoint = try Self.endpoint(value("HF_ENDPOINT"))
    let home = path("HF_HOME") ?? Self.home(environment)
    guard let cache = path("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE") ?? home.map({ $0 + "/hub" })
    else {
      throw CheckpointError(
        .usage, "there is no place for models: HOME is not set; set HF_HUB_CACHE to a folder")
    }
    self.cache = URL(filePath: cache, directoryHint: .isDirectory)
    let tokenFile = path("HF_TOKEN_PATH") ?? home.map { $0 + "/token" }
    if !Self.isTrue(value("HF_HUB_DISABLE_IMPLICIT_TOKEN")) {
      token = try Self.token(environment, file: tokenFile)
    }
    offline = ["HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"].first { Self.isTrue(value($0)) }
    if let text = value("HF_HUB_DOWNLOAD_TIMEOUT") {
      guard let seconds = Int(text), (1...86_400).contains(seconds) else {
        throw CheckpointError(
          .usage, "HF_HUB_DOWNLOAD_TIMEOUT \(quoted(text)): give a whole number of seconds")
      }
      idleSeconds = seconds
    }
    library = value("TELESCOPE_LIBCURL")
    certificates = value("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")
  }

  private static func isTrue(_ text: String?) -> Bool {
    text.map { ["1", "ON", "YES", "TRUE"].contains($0.uppercased()) } ?? false
  }

  /// Hugging Face's own folder: `huggingface` in `$XDG_CACHE_HOME` or `~/.cache`.
  private static func home(_ environment: [String: String]) -> String? {
    if let caches = environment["XDG_CACHE_HOME"], !caches.isEmpty {
      return expanded(caches, environment) + "/huggingface"
    }
    return environment["HOME"].flatMap { $0.isEmpty ? nil : $0 + "/.cache/huggingface" }
  }

  /// A path with the home folder for `~`, without slashes at its end.
  private static func expanded(_ path: String, _ environment: [String: String]) -> String {
    var path = path
    if let home = environment["HOME"], path == "~" || path.hasPrefix("~/") {
      path = home + path.dropFirst()
    }
    while path.count > 1, path.hasSuffix("/") { path.removeLast() }
    return path
  }

  private static func endpoint(_ text: String?) throws(CheckpointError) -> String {
    guard let text else { return "https://huggingface.co" }
    var endpoint = text
    while endpoint.hasSuffix("/") { endpoint.removeLast() }
    guard Origin(endpoint) != nil, !endpoint.contains("@"), !endpoint.contains("?") else {
      throw CheckpointError(
        .usage,
        "HF_ENDPOINT \(quoted(text)): give an address such as https://huggingface.co")
    }
    return endpoint
  }

  private static func token(
    _ environment: [String: String], file: String?
  ) throws(CheckpointError) -> String? {
    for name in ["HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"] {
      if let token = try token(environment[name], from: name) { return token }
    }
    guard let file, FileManager.default.fileExists(atPath: file) else { return nil }
    guard let data = FileManager.default.contents(atPath: file) else {
      throw CheckpointError(
        .unreadable,
        "\(file): the token cannot be read; check its permissions, or set HF_TOKEN")
    }
    return try token(String(decoding: data, as: UTF8.self), from: file)
  }

  private static func token(_ text: String?, from place: String) throws(CheckpointError) -> String?
  {
    guard let text else { return nil }
    let token = text.trimmingCharacters(in: .whitespacesAndNewlines)
    guard token.utf8.allSatisfy({ (0x21...0x7E).contains($0) }), token.utf8.count <= 4096 else {
      throw CheckpointError(
        .usage, "\(place): this is no token; copy it again from the hub's settings page")
    }
    return token.isEmpty ? nil : token
  }
}
