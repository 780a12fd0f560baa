public import Foundation

// The paper's sentences are those of the Penn Treebank's section 22, whose licence does not allow that they
// be given away. Who holds it has them as trees (`wsj_2200.mrg`) or as dependencies made of these (CoNLL
// columns). Tokens are taken as they stand, brackets as -LRB- and -RRB- too, and joined by spaces.

/// The sentences of a treebank.
public enum Treebank {
  /// The kinds of file that are read.
  enum Kind: String, CaseIterable {
    case trees = "mrg"
    case columns = "conll"
    case morphology = "conllu"
    case shared = "conllx"

    func sentences(_ text: String, _ name: String) throws -> [String] {
      self == .trees ? try Treebank.trees(text, name) : try Treebank.columns(text, name)
    }
  }

  /// The sentences of a file, or of the files under a folder in the order of their paths.
  ///
  /// - Parameters:
  ///   - url: a file, or a folder.
  ///   - section: the name of the folders in it that are read; nil for all.
  /// - Returns: one sentence in each, its tokens joined by spaces.
  /// - Throws: `PairError` where there is no treebank, or one that is damaged.
  public static func sentences(at url: URL, section: String? = nil) throws -> [String] {
    var isFolder: ObjCBool = false
    guard FileManager.default.fileExists(atPath: url.path, isDirectory: &isFolder) else {
      throw PairError("\(url.path): there is no such file or folder.")
    }
    var files = [url]
    if isFolder.boolValue {
      let found = FileManager.default.enumerator(at: url, includingPropertiesForKeys: nil)
      files = (found?.compactMap { $0 as? URL } ?? [])
        .filter { Kind(rawValue: $0.pathExtension) != nil }
        .sorted { $0.path < $1.path }
      let depth = url.pathComponents.count
      if let section {
        files = files.filter {
          $0.pathComponents.dropFirst(depth).dropLast().contains(section)
        }
      }
    }
    let kinds = Set(files.compactMap { Kind(rawValue: $0.pathExtension) })
    guard kinds.count == 1, let kind = kinds.first else {
      let names = Kind.allCases.map { "." + $0.rawValue }.joined(separator: ", ")
      throw PairError(
        kinds.isEmpty
          ? "\(url.path): there is no treebank here\(section.map { " in a folder \($0)" } ?? ""); files that are "
            + "read end in \(names)."
          : "\(url.path): there are files of several kinds, which may hold the same sentences; "
            + "give a folder with one kind.")
    }
    return try files.flatMap { file in
      let data = try Data(contentsOf: file)
      let text = String(data: data, encoding: .utf8) ?? String(data: data, encoding: .isoLatin1)
      return try kind.sentences(text ?? "", file.lastPathComponent)
    }
  }

  /// The sentences of bracketed trees: a leaf is `(TAG word)`; those tagged -NONE- were never written.
  static func trees(_ text: String, _ name: String) throws -> [String] {
    var sentences: [String] = []
    var words: [String] = []
    // Of each open bracket: the atoms in it, and whether it holds brackets.
    var open: [(atoms: [String], hasChildren: Bool)] = []
    var atom = ""
    var line = 1
    func failure(_ what: String) -> PairError {
      PairError("\(name), line \(line): \(what); the file is damaged or no treebank.")
    }
    func endAtom() throws {
      guard !atom.isEmpty else { return }
      guard !open.isEmpty else { throw failure("“\(atom)” stands outside brackets") }
      open[open.count - 1].atoms.append(atom)
      atom = ""
    }
    for character in text {
      switch character {
      case "(":
        try endAtom()
        if !open.isEmpty { open[open.count - 1].hasChildren = true }
        open.append(([], false))
      case ")":
        try endAtom()
        guard let closed = open.popLast() else {
          throw failure("a bracket closes that none opened")
        }
        if !closed.hasChildren, closed.atoms.count == 2, closed.atoms[0] != "-NONE-" {
          words.append(closed.atoms[1])
        }
        if open.isEmpty, !words.isEmpty {
          sentences.append(words.joined(separator: " "))
          words = []
        }
      case _ where character.isWhitespace:
        try endAtom()
        if character.isNewline { line += 1 }
      default: atom.append(character)
      }
    }
    try endAtom()
    guard open.isEmpty else { throw failure("a bracket is never closed") }
    return sentences
  }

  /// The sentences of CoNLL columns: the second is the word; sentences end at empty lines.
  static func columns(_ text: String, _ name: String) throws -> [String] {
    var sentences: [String] = []
    var words: [String] = []
    for (index, line) in text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline)
      .enumerated()
    {
      if line.allSatisfy(\.isWhitespace) {
        if !words.isEmpty { sentences.append(words.joined(separator: " ")) }
        words = []
        continue
      }
      if line.first == "#" { continue }
      let fields = line.split(whereSeparator: \.isWhitespace)
      guard fields.count >= 2, let id = fields.first, id.first?.isNumber == true else {
        throw PairError(
          "\(name), line \(index + 1): this is no word in CoNLL columns (number, word, …).")
      }
      // 3-4 is a span of words that follow, 8.1 a word that was never written.
      if Int(id) != nil { words.append(String(fields[1])) }
    }
    if !words.isEmpty { sentences.append(words.joined(separator: " ")) }
    return sentences
  }
}
