import Checkpoints
import Foundation
import TestSupport

/// A hub with a small model, a cache in a folder of its own, and the settings that join them.
final class HubFixture {
  static let config = Array(#"{"model_type": "toy"}"#.utf8)
  /// A safetensors file of one tensor, large enough to be cut in the middle.
  static let weights = safetensorsBytes(
    #"{"x":{"dtype":"U8","shape":[100000],"data_offsets":[0,100000]}}"#,
    data: (0..<100_000).map { UInt8(truncatingIfNeeded: ($0 * 131) >> 3) })

  let folder: TemporaryFolder
  let hub: LoopbackHub
  var settings: HubSettings

  init(_ change: (inout LoopbackHub.Content) -> Void = { _ in }) throws {
    folder = try TemporaryFolder()
    var content = LoopbackHub.Content()
    content.files = [
      "config.json": Self.config, "tokenizer.json": Array("{}".utf8),
      "model.safetensors": Self.weights, "README.md": Array("# Toy".utf8),
      "onnx/model.onnx": [1, 2, 3], ".gitattributes": [],
    ]
    content.large = ["model.safetensors"]
    change(&content)
    hub = try LoopbackHub(content)
    settings = try HubSettings(environment: [
      "HF_ENDPOINT": hub.address, "HF_HUB_CACHE": folder.path + "/cache", "HF_TOKEN": "hf_secret",
    ])
    settings.retryDelays = [0, 0]
  }

  func name(_ text: String = "owner/toy") -> HubName { HubName(text)! }

  @discardableResult
  func fetch(_ text: String = "owner/toy") throws -> URL {
    try ModelHub(settings).fetch(name(text))
  }

  /// What fetching says, with this machine's addresses left out.
  func failure(_ text: String = "owner/toy") -> String {
    CheckpointsTests.failure { try fetch(text) }
      .replacing(hub.address, with: "HUB").replacing(folder.path, with: "FOLDER")
      .replacing(/http:\/\/localhost:[0-9]+/, with: "DELIVERY")
  }

  /// Everything in the cache: files with their sizes, links with their targets.
  func layout() throws -> [String: String] {
    var found: [String: String] = [:]
    let root = folder.path + "/cache"
    for name in FileManager.default.enumerator(atPath: root)?.compactMap({ $0 as? String }) ?? [] {
      let path = root + "/" + name
      let attributes = try FileManager.default.attributesOfItem(atPath: path)
      switch attributes[.type] as? FileAttributeType {
      case .typeSymbolicLink:
        found[name] = "→ " + (try FileManager.default.destinationOfSymbolicLink(atPath: path))
      case .typeRegular: found[name] = "\(attributes[.size] as? Int ?? -1)"
      default: break
      }
    }
    return found
  }

  /// How often a file's content was asked for.
  func transfers(of path: String) -> Int {
    (hub.requests + hub.deliveries).filter { request in
      request.method == "GET" && request.path.hasSuffix(path)
        && (request.path.hasPrefix("/owner") ? !path.hasSuffix("safetensors") : true)
    }.count
  }
}
