import Foundation
import PairedRoutes
import Testing

@Suite("Treebanks")
struct TreebankTests {
  /// A folder of these files that is removed afterwards.
  private func inFolder(
    _ files: [String: String], _ body: (URL) throws -> Void
  ) throws {
    let folder = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
    defer { try? FileManager.default.removeItem(at: folder) }
    for (path, text) in files {
      let url = folder.appending(path: path)
      try FileManager.default.createDirectory(
        at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
      try Data(text.utf8).write(to: url)
    }
    try body(folder)
  }

  private let trees = """
    ( (S
        (NP-SBJ (DT The) (NN otter) )
        (VP (VBD ate)
          (NP (CD 3) (NNS fish) )
          (PRN (-LRB- -LRB-) (NP (DT all) ) (-RRB- -RRB-) )
          (S (NP-SBJ (-NONE- *-1) ) (VP (TO to) (VP (VB live) ))))
        (. .) ))
    (TOP (INTJ (UH Oh) (. !)))
    """
  private let columns = """
    # made up
    1\tOtters\t_\tNNS\t_\t_\t2\tnsubj
    2\teat\t_\tVBP\t_\t_\t0\troot
    3-4\tcannot\t_
    3\tcan\t_\tMD
    4\tnot\t_\tRB
    4.1\tghost\t_

    1\tOh\t_\tUH
    """

  @Test("Trees give their words as they stand, without what was never written")
  func readsTrees() throws {
    try inFolder(["a.mrg": trees]) { folder in
      let expected = ["The otter ate 3 fish -LRB- all -RRB- to live .", "Oh !"]
      for url in [folder.appending(path: "a.mrg"), folder] {
        let found = try Treebank.sentences(at: url)
        #expect(found == expected)
      }
    }
  }

  @Test(
    "Columns give the second field of numbered words, also at the end of a file without an empty line"
  )
  func readsColumns() throws {
    for text in [columns, columns.replacing("\n", with: "\r\n")] {
      try inFolder(["a.conll": text]) { folder in
        let found = try Treebank.sentences(at: folder)
        #expect(found == ["Otters eat can not", "Oh"])
      }
    }
  }

  @Test("Of a folder one section is read, or all, files in the order of their paths")
  func sections() throws {
    func tree(_ word: String) -> String { "((S (NN \(word))))" }
    try inFolder([
      "wsj/22/wsj_2201.mrg": tree("second"), "wsj/22/wsj_2200.mrg": tree("first"),
      "wsj/23/wsj_2300.mrg": tree("other"), "wsj/22/readme.txt": "(",
    ]) { folder in
      #expect(try Treebank.sentences(at: folder, section: "22") == ["first", "second"])
      #expect(try Treebank.sentences(at: folder, section: "23") == ["other"])
      #expect(try Treebank.sentences(at: folder.appending(path: "wsj/23")) == ["other"])
      #expect(try Treebank.sentences(at: folder) == ["first", "second", "other"])
      let error = try #require(throws: PairError.self) {
        try Treebank.sentences(at: folder, section: "24")
      }
      #expect(error.description.contains("there is no treebank here in a folder 24;"))
    }
  }

  @Test("What is damaged, missing or ambiguous is refused with its place and a remedy")
  func refusals() throws {
    func message(_ files: [String: String], _ path: String = "") throws -> String {
      var text = ""
      try inFolder(files) { folder in
        let url = path.isEmpty ? folder : folder.appending(path: path)
        let error = try #require(throws: PairError.self) { try Treebank.sentences(at: url) }
        text = error.description.replacing(folder.path, with: "FOLDER")
      }
      return text
    }
    #expect(
      try message(["a.mrg": "((S\n (NN otter)"])
        == "a.mrg, line 2: a bracket is never closed; the file is damaged or no treebank.")
    #expect(
      try message(["a.mrg": "((S (NN otter))))"])
        == "a.mrg, line 1: a bracket closes that none opened; the file is damaged or no treebank.")
    #expect(
      try message(["a.mrg": "otters"])
        == "a.mrg, line 1: “otters” stands outside brackets; the file is damaged or no treebank.")
    #expect(
      try message(["a.mrg": "(S) swim "])
        == "a.mrg, line 1: “swim” stands outside brackets; the file is damaged or no treebank.")
    #expect(
      try message(["a.conll": "1\tOh\n\nOh no\n"])
        == "a.conll, line 3: this is no word in CoNLL columns (number, word, …).")
    #expect(
      try message(["a.txt": "1\tOh"])
        == "FOLDER: there is no treebank here; files that are read end in .mrg, .conll, .conllu, "
        + ".conllx.")
    #expect(
      try message(["a.mrg": trees, "b.conll": columns])
        == "FOLDER: there are files of several kinds, which may hold the same sentences; give a folder "
        + "with one kind.")
    #expect(try message([:], "none") == "FOLDER/none: there is no such file or folder.")
  }
}
