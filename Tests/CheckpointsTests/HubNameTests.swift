import Checkpoints
import Foundation
import TestSupport
import Testing

@Suite("Names and settings of the hub")
struct HubNameTests {
  @Test(
    "Names have a repository, and a revision and a file if wanted",
    arguments: [
      ("owner/name", "owner/name", nil, nil),
      ("gpt2", "gpt2", nil, nil),
      ("a/b@v1.0", "a/b", "v1.0", nil),
      ("a/b@refs/pr/1", "a/b", "refs/pr/1", nil),
      ("a/b:Q4/x.gguf", "a/b", nil, "Q4/x.gguf"),
      ("a/b.c_d-e@main:x y.gguf", "a/b.c_d-e", "main", "x y.gguf"),
    ] as [(String, String, String?, String?)])
  func names(text: String, repository: String, revision: String?, file: String?) throws {
    let name = try #require(HubName(text))
    #expect(name.repository == repository && name.revision == revision && name.file == file)
    #expect(name.description == text)
  }

  @Test(
    "Paths are no names",
    arguments: [
      "/a/b", "./a", "~/a", "a/b/c", "", "a/", "/a", "../a", "a/..", "a--b/c", "-a/b", "a./b",
      "a b/c",
      "toy.gguf", "folder/model.safetensors", "a/pytorch_model.bin", "a/config.json", "é/b", "a/b@",
      "a/b@../x", "a/b@x y", "a/b:", "a/b:../x", "a/b:/x", "C:\\models", "a\\b",
      String(repeating: "a", count: 97),
    ])
  func paths(text: String) { #expect(HubName(text) == nil) }

  @Test("The cache lies where Hugging Face's own programs have it")
  func cache() throws {
    func cache(_ environment: [String: String]) throws -> String {
      try HubSettings(environment: environment).cache.path(percentEncoded: false)
    }
    var environment = ["HOME": "/home/me"]
    #expect(try cache(environment) == "/home/me/.cache/huggingface/hub/")
    environment["XDG_CACHE_HOME"] = "/xdg"
    #expect(try cache(environment) == "/xdg/huggingface/hub/")
    environment["HF_HOME"] = "~/hf"
    #expect(try cache(environment) == "/home/me/hf/hub/")
    environment["HUGGINGFACE_HUB_CACHE"] = "/old"
    #expect(try cache(environment) == "/old/")
    environment["HF_HUB_CACHE"] = "/new//"
    #expect(try cache(environment) == "/new/")
    #expect(
      failure { try HubSettings(environment: [:]) }
        == "usage: there is no place for models: HOME is not set; set HF_HUB_CACHE to a folder")
  }

  @Test("The token comes from the variables, then from the file that a login left")
  func token() throws {
    let folder = try TemporaryFolder()
    let other = try folder.write(Array("  hf_other\r\n".utf8), as: "other").path
    var environment = ["HF_HOME": folder.path]
    func token() throws -> String? { try HubSettings(environment: environment).token }
    #expect(try token() == nil)
    try folder.write(Array("hf_file\n".utf8), as: "token")
    #expect(try token() == "hf_file")
    environment["HF_TOKEN_PATH"] = other
    #expect(try token() == "hf_other")
    environment["HUGGING_FACE_HUB_TOKEN"] = "hf_old"
    #expect(try token() == "hf_old")
    environment["HF_TOKEN"] = " hf_new\n"
    #expect(try token() == "hf_new")
    environment["HF_HUB_DISABLE_IMPLICIT_TOKEN"] = "1"
    #expect(try token() == nil)
    environment = ["HOME": "/", "HF_TOKEN": "a\r\nHost: evil"]
    #expect(
      failure { try token() }
        == "usage: HF_TOKEN: this is no token; copy it again from the hub's settings page")
  }

  @Test("Endpoint, offline mode and time limit are read and checked")
  func others() throws {
    func settings(_ name: String, _ value: String) throws -> HubSettings {
      try HubSettings(environment: ["HOME": "/h", name: value])
    }
    #expect(try settings("HF_ENDPOINT", "").endpoint == "https://huggingface.co")
    #expect(
      try settings("HF_ENDPOINT", "https://hub.example/sub//").endpoint == "https://hub.example/sub"
    )
    for wrong in ["hub.example", "ftp://hub", "https://", "https://a@b", "https://a b"] {
      #expect(
        failure { try settings("HF_ENDPOINT", wrong) }
          == "usage: HF_ENDPOINT '\(wrong)': give an address such as https://huggingface.co")
    }
    for yes in ["1", "true", "YES", "on"] {
      #expect(try settings("HF_HUB_OFFLINE", yes).offline == "HF_HUB_OFFLINE")
      #expect(try settings("TRANSFORMERS_OFFLINE", yes).offline == "TRANSFORMERS_OFFLINE")
    }
    for no in ["", "0", "false"] { #expect(try settings("HF_HUB_OFFLINE", no).offline == nil) }
    #expect(try settings("HF_HUB_DOWNLOAD_TIMEOUT", "5").idleSeconds == 5)
    #expect(
      failure { try settings("HF_HUB_DOWNLOAD_TIMEOUT", "0") }
        == "usage: HF_HUB_DOWNLOAD_TIMEOUT '0': give a whole number of seconds")
  }

  @Test("The hashes that tests compare with are those of the standards")
  func hashes() {
    #expect(
      SlowHash.sha256(Array("abc".utf8))
        == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
    #expect(SlowHash.gitBlob([]) == "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391")
    #expect(
      SlowHash.gitBlob(Array("what is up, doc?".utf8)) == "bd9dbf5aae1a3862dd1526723246b20206e5fc37"
    )
  }
}
