import Foundation
import Results
import TestSupport
import Testing

/// `telescope model` and names of the hub after `--model`, against a hub on this machine.
@Suite("Models of the hub")
struct ModelHubTests {
  private let model: TinyModel
  private let folder: Folder
  private let hub: LoopbackHub
  private var settings: [String: String] {
    [
      "HF_ENDPOINT": hub.address, "HF_HUB_CACHE": folder.path + "/cache", "HF_TOKEN": "hf_secret",
      "no_proxy": "127.0.0.1,localhost",
    ]
  }

  init() throws {
    (model, folder) = (try TinyModel(), try Folder())
    var content = LoopbackHub.Content()
    for name in try model.folder.names() {
      content.files[name] = try Array(Data(contentsOf: model.folder / name))
    }
    content.large = ["model.safetensors"]
    hub = try LoopbackHub(content)
  }

  private func run(_ words: String...) throws -> Outcome {
    try Command.run(words, settings: settings, in: folder.url)
  }

  @Test("--model owner/name downloads once, and explains as the same files on disk do")
  func explain() throws {
    let expected = try Command.result("--model", model.path, "--answer", "lo", "Hel")
    for _ in 0..<2 {
      let outcome = try run(
        "explain", "--json", "-", "--model", "owner/toy", "--answer", "lo", "Hel")
      #expect(outcome.code == 0 && outcome.errors == "")
      let result = try outcome.result()
      #expect(result.model.name == "owner/toy" && result.model.sha256 == expected.model.sha256)
      #expect(result.explanations.map(\.modelValue) == expected.explanations.map(\.modelValue))
    }
    #expect(hub.deliveries.count == 1)
    let offline = try Command.run(
      ["explain", "--model", "owner/toy", "Hel"],
      settings: settings.merging(["HF_HUB_OFFLINE": "1"]) { $1 })
    #expect(offline.code == 0 && offline.errors == "")
  }

  @Test("What is there under the name comes before the hub")
  func localFirst() throws {
    try FileManager.default.createDirectory(
      at: folder / "owner", withIntermediateDirectories: true)
    try FileManager.default.copyItem(at: model.folder.url, to: folder / "owner/toy")
    let outcome = try run("explain", "--model", "owner/toy", "Hel")
    #expect(outcome.code == 0 && outcome.errors == "")
    #expect(hub.requests.isEmpty)
  }

  @Test("fetch prints the place, list shows it, remove takes it away")
  func life() throws {
    let commit = String(repeating: "a1", count: 20)
    let place = "\(folder.path)/cache/models--owner--toy/snapshots/\(commit)"
    let fetched = try run("model", "fetch", "owner/toy")
    #expect(fetched.code == 0 && fetched.errors == "" && fetched.text == place + "\n")
    let size =
      try hub.deliveries.isEmpty
      ? 0
      : model.folder.names().reduce(0) { sum, name in
        sum + (try Data(contentsOf: model.folder / name).count)
      }
    let listed = try run("model", "list")
    #expect(listed.code == 0 && listed.errors == "")
    let line = try #require(
      listed.text.split(separator: "\n").first { $0.hasPrefix("owner/toy ") })
    #expect(
      line.split(separator: " ").map(String.init)
        == ["owner/toy", "main", "\((size + 500) / 1000)", "kB", "safetensors", place])
    let json = try JSONSerialization.jsonObject(with: run("model", "list", "--json").output)
    let listing = try #require(json as? [String: Any])
    #expect(listing["schema"] as? String == "telescope/models/1")
    #expect(listing["cache"] as? String == folder.path + "/cache")
    let rows = try #require(listing["models"] as? [[String: Any]])
    let row = try #require(rows.first { $0["name"] as? String == "owner/toy" })
    #expect(row["bytes"] as? Int == size && row["complete"] as? Bool == true)
    #expect(row["commit"] as? String == commit && row["revisions"] as? [String] == ["main"])
    #expect(row["format"] as? String == "safetensors" && row["path"] as? String == place)

    let extent = "4 files, \((size + 500) / 1000) kB"
    try expectFailure(
      ["model", "remove", "owner/toy"], 64,
      "This would remove owner/toy (\(extent)); add --yes if it shall.", settings: settings)
    let removed = try run("model", "remove", "owner/toy", "--yes")
    #expect(removed.code == 0 && removed.text == "")
    #expect(removed.errors == "Removed owner/toy (\(extent))\n")
    #expect(try folder.names() == ["cache"])
    #expect(try run("model", "list").text.contains("owner/toy") == false)
    try expectFailure(
      ["model", "remove", "owner/toy", "--yes"], 66,
      "owner/toy is not in the cache \(folder.path)/cache; telescope model list names what is.",
      settings: settings)
  }

  @Test("Revisions and files are named by option or behind the name")
  func names() throws {
    let other = String(repeating: "b", count: 40)
    hub.change {
      $0.revisions = ["v1": other]
      $0.files["q.gguf"] = [1, 2, 3]
    }
    let place = "\(folder.path)/cache/models--owner--toy/snapshots/\(other)"
    for words in [["owner/toy@v1"], ["owner/toy", "--revision", "v1"]] {
      #expect(
        try Command.run(["model", "fetch"] + words, settings: settings).text == place + "\n")
    }
    for words in [["owner/toy@v1:q.gguf"], ["owner/toy@v1", "--file", "q.gguf"]] {
      #expect(
        try Command.run(["model", "fetch"] + words, settings: settings).text == place + "/q.gguf\n")
    }
    try expectFailure(
      ["model", "fetch", "owner/toy@v1", "--revision", "v2"], 64,
      "'owner/toy@v1' and --revision 'v2': give one of the two.", settings: settings)
    try expectFailure(
      ["model", "fetch", "owner/toy", "--revision", "../x"], 64,
      "--revision '../x': this cannot be on the hub; see its page.", settings: settings)
    try expectFailure(
      ["model", "fetch", "/owner/toy"], 64,
      "'/owner/toy' is no name of a model on the hub; give one such as owner/name.",
      settings: settings)
    try expectFailure(
      ["model", "fetch"], 64,
      "telescope model fetch takes one model such as owner/name; there are 0.", settings: settings)
  }

  @Test("What the hub does not give ends with its exit code")
  func failures() throws {
    try expectFailure(
      ["explain", "--model", "owner/none", "hi"], 66,
      "owner/none: the hub has no such repository; check the name at \(hub.address)/owner/none; "
        + "there is no file 'owner/none' either.", settings: settings)
    try expectFailure(
      ["explain", "--model", "owner/toy", "hi"], 66,
      "owner/toy is not in the cache \(folder.path)/cache, and HF_HUB_OFFLINE forbids the network; "
        + "unset it, or name a model that is there (telescope model list); there is no file "
        + "'owner/toy' either.", settings: settings.merging(["HF_HUB_OFFLINE": "1"]) { $1 })
    try expectFailure(
      ["model", "fetch", "owner/toy"], 64,
      "HF_ENDPOINT 'hub': give an address such as https://huggingface.co.",
      settings: settings.merging(["HF_ENDPOINT": "hub"]) { $1 })
    hub.change { $0.misbehaviour = { _, _ in .init(403) } }
    try expectFailure(
      ["model", "fetch", "owner/toy"], 66,
      "owner/toy: the hub refuses access; accept the model's terms at \(hub.address)/owner/toy, with "
        + "the account of the token in HF_TOKEN.", settings: settings)
    hub.change {
      $0.misbehaviour = { request, usual in
        var reply = usual
        if request.path == "/model.safetensors" { reply.body[9] ^= 1 }
        return reply
      }
    }
    let damaged = try run("model", "fetch", "owner/toy")
    #expect(damaged.code == 65)
    #expect(
      damaged.errors.hasPrefix("telescope: owner/toy/model.safetensors: what came has the SHA-256 ")
    )
  }

  @Test("Without libcurl, downloads say what to install: 69")
  func noLibrary() throws {
    let outcome = try Command.run(
      ["model", "fetch", "owner/toy"],
      settings: settings.merging(["TELESCOPE_LIBCURL": "/none/libcurl.so.4"]) { $1 })
    #expect(outcome.code == 69 && outcome.text == "")
    #expect(
      try outcome.errors.wholeMatch(
        of: Regex(
          #"telescope: libcurl, which downloads need, cannot be opened \(.*/none/libcurl.so.4.*\); "#
            + #"install it \(Debian and Ubuntu: apt install libcurl4\), or set TELESCOPE_LIBCURL to a "#
            + #"copy of libcurl.so.4\.\n"#)) != nil)
    // What is in the cache needs none.
    #expect(try run("model", "fetch", "owner/toy").code == 0)
    let cached = try Command.run(
      ["explain", "--model", "owner/toy", "Hel"],
      settings: settings.merging(["TELESCOPE_LIBCURL": "/none/libcurl.so.4"]) { $1 })
    #expect(cached.code == 0)
  }

  @Test("An interrupted download says that it goes on, and does: 130")
  func interruption() throws {
    hub.change {
      $0.misbehaviour = { request, usual in
        var reply = usual
        if request.path == "/model.safetensors", request.start == 0 {
          // A part, then silence until the test is over.
          reply.body = Array(reply.body.prefix(20_000))
          reply.statedLength = usual.body.count
          reply.linger = 30
        }
        return reply
      }
    }
    let process = Command.process(["model", "fetch", "owner/toy"], settings)
    let errors = folder / "errors"
    try Data().write(to: errors)
    process.standardError = try FileHandle(forWritingTo: errors)
    process.standardOutput = FileHandle.nullDevice
    try process.run()
    let part =
      "\(folder.path)/cache/models--owner--toy/blobs/"
      + SlowHash.sha256(try Array(Data(contentsOf: model.weights))) + ".incomplete"
    let end = Date.now.addingTimeInterval(30)
    while (try? Data(contentsOf: URL(filePath: part)).count) != 20_000, Date.now < end {
      Thread.sleep(forTimeInterval: 0.02)
    }
    process.interrupt()
    process.waitUntilExit()
    #expect(process.terminationStatus == 130)
    #expect(
      try String(contentsOf: errors, encoding: .utf8)
        == "telescope: Interrupted; what was downloaded is kept, and the same command goes on from "
        + "there.\n")
    let count = hub.deliveries.count
    #expect(try run("model", "fetch", "owner/toy").code == 0)
    #expect(hub.deliveries.dropFirst(count).map(\.start) == [20_000])
  }

  @Test("telescope model needs to know what to do: 64")
  func usage() throws {
    try expectFailure(
      ["model"], 64,
      "telescope model needs to know what to do: list, fetch, remove or convert; see telescope model "
        + "--help.")
    try expectFailure(
      ["model", "make"], 64,
      "telescope model does not know 'make'; it knows list, fetch, remove and convert (see telescope "
        + "model --help).")
    try expectFailure(
      ["model", "list", "owner/toy"], 64,
      "telescope model list takes no model; leave out 'owner/toy'.")
    try expectFailure(
      ["model", "fetch", "--yes", "owner/toy"], 64,
      "Unknown option '--yes'; telescope model fetch --help lists the options (a prompt that begins "
        + "with a dash goes after --).")
  }
}
