internal import Foundation
internal import Telescope

extension ModelCommand {
  /// `telescope model fetch` downloads a model into the cache.
  static func fetch(_ words: [String]) throws {
    let forms: [String: Arguments.Form] = ["--revision": .value, "--file": .value]
    guard let arguments = try arguments(words, "fetch", forms, help: fetchHelp) else { return }
    let name = try name(arguments, "fetch")
    let hub = ModelHub(try HubSettings())
    let url = try ModelLocation.fetch(name, from: hub, quiet: arguments.flag("--quiet", "-q"))
    try Terminal.write(url.path + "\n")
  }

  static let fetchHelp = """
    usage: telescope model fetch owner/name [options]

    Downloads what a model needs to run into the hub's cache: configuration, tokenizer, chat
    template, and its weights (safetensors; else pytorch_model.bin; else the one GGUF file), and
    prints where it is. What is there is not downloaded again; what broke off goes on where it was;
    every file is compared with the hash that the hub states.

      --revision R             a branch, a tag or a commit (default main); also owner/name@R
      --file NAME.gguf         this GGUF file alone; also owner/name:NAME.gguf
      --quiet, -q              no progress
      --version                the version
      --help, -h               this text

    Variables: HF_TOKEN (for models that need a login), HF_ENDPOINT, HF_HUB_CACHE, HF_HOME,
    HF_HUB_OFFLINE=1 (no network), HF_HUB_DOWNLOAD_TIMEOUT (seconds), https_proxy, SSL_CERT_FILE.

    """
}
