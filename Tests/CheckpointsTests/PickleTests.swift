import Checkpoints
import Foundation
import TestSupport
import Testing

/// A wrong pickle, or what stands in one, and what is said of it.
struct WrongPickle: CustomTestStringConvertible {
  let pickle: [UInt8]
  let what: String

  init(_ pickle: [UInt8], _ what: String) {
    self.pickle = pickle
    self.what = what
  }

  var testDescription: String { what }
}

/// Pickles that no one should read, and those that only look so.
@Suite("Pickles")
struct PickleTests {
  private typealias P = PickleBytes

  /// Six numbers, the storage '0'.
  private static let numbers: [UInt8] = [0, 1, 2, 3, 4, 5].flatMap { little(Float($0).bitPattern) }

  @Test("The rules' own file is read")
  func plain() throws {
    let archive = try open(P.whole(P.dictionary("a", P.tensor())))
    #expect(archive.names == ["a"])
    #expect(archive.tensors["a"]?.shape == [2, 3])
    #expect(archive.tensors["a"]?.floats == [0, 1, 2, 3, 4, 5])
  }

  @Test(
    "Whatever is no part of a tensor is refused by its name",
    arguments: [
      ("os", "system"), ("builtins", "eval"), ("posix", "system"), ("subprocess", "Popen"),
      ("torch", "load"), ("torch._utils", "_rebuild_tensor_v3"), ("torch", "Size"),
      ("torch._utils", "_rebuild_tensor_v2.__globals__"), ("collections", "Counter"), ("", ""),
      ("torch.FloatStorage", "x"), ("torch", "QInt8Storage"), ("line", "a\u{7}b"),
    ])
  func names(module: String, name: String) throws {
    let shown = (module + "." + name).replacing("\u{7}", with: "\\u{07}")
    let calls = [
      P.global(module, name) + P.text("touch owned") + [0x85] + P.reduce,
      // The same by name alone, and as protocol 4 says it.
      P.global(module, name),
      P.text(module) + P.text(name) + [0x93],
    ]
    for call in calls {
      #expect(
        message(P.whole(P.dictionary("a", call)))
          == "unsupported: data.pkl names '\(shown)', which is no part of a tensor that is read; "
          + "Telescope never executes a file: save the tensors alone, as a dictionary")
    }
  }

  @Test(
    "An opcode that tensors do not need is refused by its name",
    arguments: [
      ([0x30], "POP"), ([0x32], "DUP"), ([0x69], "INST"), ([0x6F], "OBJ"), ([0x81], "NEWOBJ"),
      ([0x92], "NEWOBJ_EX"), ([0x82], "EXT1"), ([0x8B], "LONG4"), ([0x50], "PERSID"),
      ([0x8F], "EMPTY_SET"), ([0x97], "NEXT_BUFFER"), ([0x46], "FLOAT"), ([0x42], "BINBYTES"),
    ] as [([UInt8], String)])
  func opcodes(opcode: [UInt8], name: String) throws {
    #expect(
      message(P.whole(P.none + opcode))
        == "unsupported: data.pkl uses the pickle opcode \(name); save the tensors alone, as a "
        + "dictionary")
  }

  @Test(
    "What the machine cannot do is refused with its place",
    arguments: [
      WrongPickle([], "does not begin with a protocol"),
      WrongPickle([0x80], "ends inside the protocol"),
      WrongPickle(
        [0x80, 1, 0x4E, 0x2E], "states protocol 1 where one of 2 to 5 begins it (at its byte 0)"),
      WrongPickle(
        [0x80, 6, 0x4E, 0x2E], "states protocol 6 where one of 2 to 5 begins it (at its byte 0)"),
      WrongPickle(
        [0x80, 2, 0x80, 2, 0x2E],
        "states protocol 2 where one of 2 to 5 begins it (at its byte 2)"
      ),
      WrongPickle([0x80, 2], "ends inside an opcode"),
      WrongPickle([0x80, 2, 0x2E], "ends with values or bytes left over (at its byte 3)"),
      WrongPickle(
        [0x80, 2, 0x4E, 0x4E, 0x2E], "ends with values or bytes left over (at its byte 5)"),
      WrongPickle([0x80, 2, 0x4E, 0x2E, 0], "ends with values or bytes left over (at its byte 4)"),
      WrongPickle(
        [0x80, 2, 0x4E, 0x28, 0x2E], "ends with values or bytes left over (at its byte 5)"),
      WrongPickle([0x80, 2, 0x01], "has the byte 1 where an opcode is needed (at its byte 2)"),
      WrongPickle([0x80, 2, 0x4A, 0, 0], "ends inside an integer"),
      WrongPickle([0x80, 2, 0x8A, 9, 0], "ends inside an integer"),
      WrongPickle([0x80, 2, 0x47, 9, 0], "ends inside a number"),
      WrongPickle(
        [0x80, 4, 0x95, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF],
        "has a frame of 18446744073709551615 bytes, more than it has left (at its byte 2)"
      ),
      WrongPickle([0x80, 2, 0x74], "takes a value where there is none (at its byte 2)"),
      WrongPickle([0x80, 2, 0x85], "takes a value where there is none (at its byte 2)"),
      WrongPickle(
        [0x80, 2, 0x4E, 0x28, 0x85], "takes a value where there is none (at its byte 4)"),
      WrongPickle([0x80, 2, 0x71, 0], "takes a value where there is none (at its byte 3)"),
      WrongPickle([0x80, 2, 0x68, 7], "recalls place 7, where nothing was put (at its byte 4)"),
      WrongPickle(
        [0x80, 2, 0x6A, 0xFF, 0xFF, 0xFF, 0xFF],
        "recalls place 4294967295, where nothing was put (at its byte 7)"
      ),
      WrongPickle(
        [0x80, 2, 0x58, 0xFF, 0xFF, 0xFF, 0xFF],
        "has a text of 4294967295 bytes, more than it may have (at its byte 7)"
      ),
      WrongPickle(
        [0x80, 2, 0x8D, 0, 0, 0, 0, 0, 0, 0, 0x80],
        "has a text of 9223372036854775808 bytes, more than it may have (at its byte 11)"
      ),
      WrongPickle([0x80, 2, 0x8C, 1, 0xFF], "has a text that is not UTF-8 (at its byte 4)"),
      WrongPickle([0x80, 2, 0x63, 0x61], "has a name without an end (at its byte 3)"),
      WrongPickle([0x80, 2, 0x63, 0xFF, 0x0A], "has a name without an end (at its byte 3)"),
      WrongPickle([0x80, 2, 0x4E, 0x4E, 0x61], "appends to None (at its byte 4)"),
      WrongPickle([0x80, 2, 0x7D, 0x4E, 0x61], "appends to a dictionary (at its byte 4)"),
      WrongPickle([0x80, 2, 0x5D, 0x4E, 0x4E, 0x73], "sets a key of a list (at its byte 5)"),
      WrongPickle([0x80, 2, 0x7D, 0x28, 0x4E, 0x75], "has a key without a value (at its byte 5)"),
      WrongPickle([0x80, 2, 0x4E, 0x29, 0x52], "calls None (at its byte 4)"),
      WrongPickle(
        [0x80, 4, 0x4E, 0x88, 0x93], "names something by None and a truth value (at its byte 4)"),
      WrongPickle(
        [0x80, 2, 0x4E, 0x51],
        "has a persistent id that is not a storage's five parts (at its byte 3)"),
    ] as [WrongPickle])
  func machine(_ wrong: WrongPickle) throws {
    #expect(
      message(wrong.pickle)
        == "malformed: data.pkl \(wrong.what); the file is damaged, download it again")
  }

  @Test(
    "Calls that make no tensor are refused",
    arguments: [
      WrongPickle(
        P.global("torch", "FloatStorage") + [0x29] + P.reduce, "calls 'torch.FloatStorage'"),
      WrongPickle(
        P.global("collections", "OrderedDict") + P.none + P.reduce,
        "calls 'collections.OrderedDict' with None"
      ),
      WrongPickle(
        P.global("collections", "OrderedDict") + P.emptyList + [0x85] + P.reduce,
        "calls 'collections.OrderedDict' with arguments"
      ),
      WrongPickle(
        P.global("torch._utils", "_rebuild_parameter") + P.none + [0x85] + P.reduce,
        "has a parameter that is not made of a tensor"
      ),
      WrongPickle(
        P.global("torch._utils", "_rebuild_tensor_v2") + [0x29] + P.reduce,
        "has a tensor that is not of a storage, an offset, a shape and strides"
      ),
      WrongPickle(
        P.tensor(hooks: P.dictionary("hook", P.none)),
        "has a tensor that is not of a storage, an offset, a shape and strides"
      ),
      WrongPickle(
        P.tensor([Int](repeating: 1, count: 65), [Int](repeating: 1, count: 65)),
        "has a tensor that is not of a storage, an offset, a shape and strides"
      ),
      WrongPickle(
        P.tensor([2, 3], [1]),
        "has a tensor of shape [2, 3], strides [1] and offset 0, which no tensor has"
      ),
      WrongPickle(
        P.tensor([2, 3], [-3, 1]),
        "has a tensor of shape [2, 3], strides [-3, 1] and offset 0, which no tensor has"
      ),
      WrongPickle(
        P.tensor([-2, 3], [3, 1]),
        "has a tensor of shape [-2, 3], strides [3, 1] and offset 0, which no tensor has"
      ),
      WrongPickle(
        P.tensor(offset: -1),
        "has a tensor of shape [2, 3], strides [3, 1] and offset -1, which no tensor has"
      ),
      WrongPickle(
        P.tensor(offset: 1),
        "has a tensor of shape [2, 3], strides [3, 1] and offset 1, which goes beyond its storage "
          + "of 6 numbers"
      ),
      WrongPickle(
        P.tensor([2, 3], [4, 1]),
        "has a tensor of shape [2, 3], strides [4, 1] and offset 0, which goes beyond its storage "
          + "of 6 numbers"
      ),
      WrongPickle(
        P.tensor([3], [.max]),
        "has a tensor of shape [3], strides [9223372036854775807] and offset 0, which goes beyond "
          + "its storage of 6 numbers"
      ),
      WrongPickle(
        P.tensor([1 << 32, 1 << 32], [0, 0]),
        "has a tensor of shape [4294967296, 4294967296], strides [0, 0] and offset 0, which goes "
          + "beyond its storage of 6 numbers"
      ),
      WrongPickle(
        P.tensor(offset: 7, [0], [1]),
        "has a tensor of shape [0], strides [1] and offset 7, which goes beyond its storage of 6 "
          + "numbers"
      ),
      WrongPickle(
        P.tensor(of: P.storage(count: 7)),
        "counts 7 numbers of type F32 in the storage '0', whose entry has 24 bytes"
      ),
      WrongPickle(
        P.tensor(of: P.storage(count: 5)),
        "counts 5 numbers of type F32 in the storage '0', whose entry has 24 bytes"
      ),
      WrongPickle(
        P.tensor(of: P.storage("DoubleStorage")),
        "counts 6 numbers of type F64 in the storage '0', whose entry has 24 bytes"
      ),
      WrongPickle(
        P.tensor(of: P.storage(count: .max)),
        "counts 9223372036854775807 numbers of type F32 in the storage '0', whose entry has 24 bytes"
      ),
      WrongPickle(
        P.tensor(of: P.storage(count: -1)),
        "has a persistent id that is not a storage's five parts"
      ),
      WrongPickle(P.tensor(of: P.storage(key: "1")), "has the storage '1', which has no entry"),
      WrongPickle(
        P.tensor(of: P.storage(key: "../data.pkl")),
        "has the storage '../data.pkl', which has no entry"),
      WrongPickle(
        P.dictionary("a", P.none) + P.text("a") + P.none + P.setItem,
        "has the key 'a' twice in one dictionary"
      ),
      WrongPickle(
        P.dictionary(String(repeating: "k", count: 1025), P.none),
        "has a key of 1025 bytes where 1024 are the most"
      ),
    ] as [WrongPickle])
  func calls(_ wrong: WrongPickle) throws {
    let found = message(P.whole(wrong.pickle))
    // Where in the pickle, the test of the machine asserts.
    let place = found.firstMatch(of: #/ \(at its byte [0-9]+\)/#)
    #expect(place != nil)
    #expect(
      found.replacing(#/ \(at its byte [0-9]+\)/#, with: "")
        == "malformed: data.pkl \(wrong.what); the file is damaged, download it again")
  }

  @Test(
    "What PyTorch could save, but tensors alone do not need, is refused as such",
    arguments: [
      WrongPickle(
        P.tensor([6, 6], [0, 1]),
        "has a tensor of shape [6, 6], strides [0, 1] and offset 0, which repeats the 6 numbers of "
          + "its storage"
      ),
      // Overlapping windows.
      WrongPickle(
        P.tensor([3, 4], [1, 1]),
        "has a tensor of shape [3, 4], strides [1, 1] and offset 0, which repeats the 6 numbers of "
          + "its storage"
      ),
      WrongPickle(P.tensor(rest: P.dictionary("conj", [0x88])), "has a tensor with attributes"),
      WrongPickle(P.tensor(of: P.storage(device: "meta")), "has a storage on the device 'meta'"),
      WrongPickle(P.tensor(of: P.storage(device: "cuda:")), "has a storage on the device 'cuda:'"),
      WrongPickle(
        P.tensor(of: P.storage(device: "cpu:0:1")), "has a storage on the device 'cpu:0:1'"),
      WrongPickle(
        P.orderedDictionary + P.emptyDictionary + P.build,
        "gives a dictionary attributes other than '_metadata'"
      ),
      WrongPickle(
        P.orderedDictionary + P.dictionary("__class__", P.emptyDictionary) + P.build,
        "gives a dictionary attributes other than '_metadata'"
      ),
      WrongPickle(
        P.orderedDictionary + P.dictionary("_metadata", P.none) + P.build,
        "gives a dictionary attributes other than '_metadata'"
      ),
      WrongPickle(
        P.emptyDictionary + P.dictionary("_metadata", P.emptyDictionary) + P.build,
        "sets the state of a dictionary"
      ),
      WrongPickle(P.tensor() + P.emptyDictionary + P.build, "sets the state of a tensor"),
      WrongPickle(
        P.emptyDictionary + P.none + P.none + P.setItem,
        "has None as a key, and a name needs text or an integer"
      ),
      WrongPickle(
        P.emptyDictionary + [0x29] + P.none + P.setItem,
        "has a tuple as a key, and a name needs text or an integer"
      ),
    ] as [WrongPickle])
  func unneeded(_ wrong: WrongPickle) throws {
    #expect(
      message(P.whole(wrong.pickle))
        == "unsupported: data.pkl \(wrong.what); save the tensors alone, as a dictionary")
  }

  @Test(
    "Values that are no list of tensors are refused",
    arguments: [
      WrongPickle(P.storage(), "data.pkl holds a storage outside a tensor"),
      WrongPickle(
        P.global("torch", "HalfStorage"),
        "data.pkl holds the name 'torch.HalfStorage' outside a tensor"
      ),
      WrongPickle(
        P.dictionary("a", P.dictionary("b", P.tensor())) + P.text("a.b") + P.tensor() + P.setItem,
        "two tensors have the name 'a.b'"
      ),
      WrongPickle(
        P.dictionary("\u{E9}", P.tensor()) + P.text("e\u{301}") + P.tensor() + P.setItem,
        "two tensors have the name 'e\u{301}'"
      ),
      WrongPickle(
        P.dictionary("3", P.tensor()) + P.integer(3) + P.tensor() + P.setItem,
        "two tensors have the name '3'"
      ),
      WrongPickle(
        [UInt8](repeating: 0x5D, count: 34) + [UInt8](repeating: 0x61, count: 33),
        "data.pkl nests deeper than 32"
      ),
      // A million lists, each in the next: releasing them must not recurse either.
      WrongPickle(
        [UInt8](repeating: 0x5D, count: 1_000_001) + [UInt8](repeating: 0x61, count: 1_000_000),
        "data.pkl nests deeper than 32"
      ),
      // A list in itself.
      WrongPickle(
        P.emptyList + [0x71, 0] + [0x68, 0] + P.append, "data.pkl nests deeper than 32"),
      WrongPickle(
        (0..<3).reduce([]) { body, _ in
          body + P.emptyDictionary + P.text(String(repeating: "k", count: 400))
        } + P.tensor() + P.setItem + P.setItem + P.setItem,
        "data.pkl has a tensor whose name is over 1024 bytes long"
      ),
      // 25 tuples, each twice in the next: 2^25 values.
      WrongPickle(
        P.emptyList + [0x71, 0] + (0..<25).flatMap { _ in [0x68, 0, 0x86, 0x71, 0] as [UInt8] },
        "data.pkl holds over 2097152 values"
      ),
      WrongPickle(
        P.mark + [UInt8](repeating: 0x29, count: 2_097_152) + P.tuple,
        "data.pkl has over 2097152 containers (at its byte 2097155)"
      ),
      WrongPickle(
        P.none + [UInt8](repeating: 0x94, count: 2_097_153),
        "data.pkl puts values into over 2097152 places (at its byte 2097155)"
      ),
      WrongPickle(
        [UInt8](repeating: 0x4E, count: 16 << 20),
        "data.pkl has 16777219 bytes where 16777216 are the most"
      ),
      WrongPickle(
        P.emptyList + P.tensor() + [0x71, 0] + P.append
          + (0..<131_072).flatMap { _ in [0x68, 0, 0x61] as [UInt8] },
        "data.pkl holds over 131072 tensors"
      ),
    ] as [WrongPickle])
  func results(_ wrong: WrongPickle) throws {
    #expect(
      message(P.whole(wrong.pickle))
        == "malformed: \(wrong.what); the file is damaged, download it again")
  }

  @Test("Integers of every width, and what no tensor needs, are passed over")
  func integers() throws {
    // A shape of 2 in one to eight bytes, a negative key, an integer of 20 bytes, an empty one.
    for width in 1...8 {
      let two = [0x8A, UInt8(width), 2] + [UInt8](repeating: 0, count: width - 1)
      let tensor =
        P.global("torch._utils", "_rebuild_tensor_v2") + P.mark + P.storage() + [0x8A, 0]
        + P.mark + two + [0x4B, 3] + P.tuple + P.mark + [0x4D, 3, 0] + [0x4A, 1, 0, 0, 0] + P.tuple
        + [0x89] + P.orderedDictionary + P.none + P.tuple + P.reduce
      let body =
        P.emptyDictionary + [0x8A, 2, 0x00, 0xFF] + tensor + P.setItem
        + P.text("large") + [0x8A, 20] + [UInt8](repeating: 0xFF, count: 20) + P.setItem
      let archive = try open(P.whole(body))
      #expect(archive.names == ["-256"])
      #expect(archive.tensors["-256"]?.shape == [2, 3])
    }
  }

  @Test(
    "Devices that tensors were on make no difference",
    arguments: ["cpu", "cuda:0", "cuda:17", "mps", "mps:0", "xpu:1"])
  func devices(device: String) throws {
    let archive = try open(P.whole(P.tensor(of: P.storage(device: device))))
    #expect(archive.tensors[""]?.floats == [0, 1, 2, 3, 4, 5])
  }

  @Test("Views that could take more memory than the file are refused")
  func manyCopies() throws {
    let transposed = P.tensor([3, 2], [1, 3])
    func list(_ count: Int) -> [UInt8] {
      P.whole(P.emptyList + (0..<count).flatMap { _ in transposed + P.append })
    }
    #expect(try open(list(2)).tensors["1"]?.floats == [0, 3, 1, 4, 2, 5])
    // One tensor, in a list again and again.
    let repeated =
      P.emptyList + transposed + [0x71, 9] + P.append
      + (0..<400).flatMap { _ in [0x68, 9, 0x61] as [UInt8] }
    let size = ZipBytes.torch(P.whole(repeated), [("0", Self.numbers)]).bytes.count
    #expect(
      message(P.whole(repeated))
        == "unsupported: tensor '\(size / 24)' is one of many views of the same numbers; call "
        + "contiguous() on the tensors before they are saved")
  }

  private func open(_ pickle: [UInt8]) throws -> TorchArchive {
    let bytes = ZipBytes.torch(pickle, [("0", Self.numbers)]).bytes
    return try TorchArchive(try MappedFile(copying: bytes, named: URL(filePath: "/models/x")))
  }

  /// What is said of a pickle, without the path.
  private func message(_ pickle: [UInt8]) -> String {
    failure { try open(pickle) }.replacing("/models/x: ", with: "")
  }
}
