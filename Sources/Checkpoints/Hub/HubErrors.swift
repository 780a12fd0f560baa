internal import CCurl
import Foundation

/// What is said when the hub, or the network before it, does not give what was asked for.
extension CheckpointError {
  static func manyFiles(_ name: HubName, _ files: [String], _ place: String) -> Self {
    let shown = files.sorted().prefix(8).joined(separator: ", ")
    var example = name
    example.file = files.min()
    return Self(
      .unsupported,
      "\(name): \(place) \(files.count) GGUF files (\(shown)\(files.count > 8 ? ", …" : "")); name one of "
        + "them, as in \(example)")
  }

  /// A transfer that failed.
  static func transfer(_ failure: HTTPFailure, _ what: String) -> Self {
    let place = plain(failure.address)
    let words = failure.words
    return switch failure.outcome {
    case CCURL_NO_HOST, CCURL_NO_CONNECTION:
      Self(
        .unavailable,
        "\(what): \(place) cannot be reached (\(words)); check the network and the proxy, or HF_ENDPOINT"
      )
    case CCURL_TLS:
      Self(
        .unavailable,
        "\(what): there is no secure connection to \(place) (\(words)); check the date of this machine, "
          + "and set SSL_CERT_FILE where the network has certificates of its own")
    case CCURL_TIMEOUT, CCURL_CUT:
      Self(
        .unavailable,
        "\(what): the connection to \(place) broke off (\(words)); what has come is kept: give the same "
          + "command again")
    default:
      Self(
        .unavailable,
        "\(what): the transfer from \(place) failed (\(words)); check HF_ENDPOINT, or try again later"
      )
    }
  }

  /// An answer that is no success.
  static func refusal(
    _ answer: HTTPAnswer, _ name: HubName, file: String?, _ settings: HubSettings
  ) -> Self {
    let said = answer["x-error-message"].map { " (" + quoted($0) + ")" } ?? ""
    let page = settings.endpoint + "/" + name.repository
    let what = file.map { "\(name.repository)/\($0)" } ?? name.repository
    switch (answer.status, answer["x-error-code"]) {
    case (_, "RevisionNotFound"):
      return Self(
        .missing, "\(name.repository) has no revision \(quoted(name.wantedRevision)); see \(page)")
    case (_, "EntryNotFound"):
      return Self(.missing, "\(what): the repository has no such file; see \(page)/tree/main")
    case (_, "GatedRepo"), (403, _):
      return Self(
        .unreadable,
        "\(what): the hub refuses access\(said); accept the model's terms at \(page), with the account "
          + "of the token in HF_TOKEN")
    case (401, _) where settings.token != nil:
      return Self(
        .unreadable,
        "\(what): the hub refuses the token\(said), or there is no such repository; check the name at "
          + "\(page), and make a new token if the old one has ended")
    case (401, _):
      return Self(
        .missing,
        "\(what): the hub has no such repository, or shows it to some alone\(said); check the name at "
          + "\(page), and set HF_TOKEN to a token that may read it")
    case (404, _):
      return Self(
        .missing, "\(what): the hub has no such repository\(said); check the name at \(page)")
    case (429, _):
      return Self(
        .unavailable,
        "\(what): the hub asks for fewer requests (status 429); wait some minutes, or set HF_TOKEN")
    case (500..., _):
      return Self(
        .unavailable,
        "\(what): the hub has a fault (status \(answer.status)\(said)); try again later")
    default:
      return Self(
        .unavailable,
        "\(what): the hub answers with status \(answer.status)\(said); check HF_ENDPOINT "
          + "(\(settings.endpoint))")
    }
  }

  /// An answer that cannot be trusted.
  static func distrusted(_ name: HubName, _ what: String) -> Self {
    Self(.malformed, "\(name.repository): \(what); do not trust this repository")
  }

  /// An answer that the hub's interface does not have.
  static func strange(_ settings: HubSettings, _ what: String) -> Self {
    Self(
      .malformed,
      "\(settings.endpoint): \(what); this is not the hub's interface, check HF_ENDPOINT")
  }

  static func unwritable(_ url: URL, errno code: Int32) -> Self {
    if code == ENOSPC || code == EDQUOT {
      return Self(
        .unwritable,
        "\(url.plainPath): the disk is full; make room and give the same command again (what has come "
          + "is kept), or set HF_HUB_CACHE to a folder on another disk")
    }
    return Self(
      .unwritable,
      "\(url.plainPath): this cannot be written (\(String(cString: strerror(code)))); check the "
        + "permissions, or set HF_HUB_CACHE to another folder")
  }

  /// An address without its query, which may hold a signature.
  static func plain(_ address: String) -> String { String(address.prefix { !"?#".contains($0) }) }
}
