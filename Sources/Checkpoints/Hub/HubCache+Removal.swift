import Foundation

/// What removing a model from the cache takes away.
public struct CacheRemoval: Sendable {
  /// How many bytes become free.
  public let byteCount: Int
  /// How many files of the model go.
  public let fileCount: Int
  /// What is removed, in order.
  fileprivate let places: [URL]
  /// Folders that go if nothing is left in them.
  fileprivate let folders: [URL]

  /// Removes it.
  ///
  /// - Throws: `unwritable`; what was removed until then is gone.
  public func perform() throws(CheckpointError) {
    for place in places {
      do {
        try FileManager.default.removeItem(at: place)
      } catch {
        // Another process may have been faster.
        var status = stat()
        guard lstat(place.plainPath, &status) == 0 else { continue }
        throw CheckpointError(
          .unwritable, "\(place.plainPath): this cannot be removed; check the folder's permissions",
          cause: error)
      }
    }
    for folder in folders { rmdir(folder.plainPath) }
  }
}

extension HubCache {
  /// What removing a model would take away; nothing is removed yet.
  ///
  /// Contents that another revision needs stay. Without a revision, all of them go.
  ///
  /// - Parameter name: The model, its revision and file if only these shall go.
  /// - Returns: What goes.
  /// - Throws: `missing` where the cache has no such model.
  public func removal(of name: HubName) throws(CheckpointError) -> CacheRemoval {
    let folder = repository(name.repository)
    guard isFolder(folder) else {
      throw CheckpointError(
        .missing,
        "\(name.repository) is not in the cache \(self.folder.plainPath); telescope model list names "
          + "what is")
    }
    let commits = Self.names(in: folder.appending(path: "snapshots"))
    let chosen = name.revision == nil ? commits : [commit(of: name)].compactMap(\.self)
    let snapshots = chosen.filter(commits.contains).map {
      snapshot(name.repository, commit: $0)
    }
    let all = Self.files(in: folder.appending(path: "snapshots"))
    let going = snapshots.flatMap { snapshot in
      Self.files(in: snapshot).filter {
        name.file == nil || $0.plainPath == snapshot.appending(path: name.file ?? "").plainPath
      }
    }
    guard !going.isEmpty || name.revision == nil && name.file == nil else {
      throw CheckpointError(
        .missing,
        "\(name) is not in the cache \(self.folder.plainPath); telescope model list names what is")
    }
    let paths = Set(going.map(\.plainPath))
    let staying = all.filter { !paths.contains($0.plainPath) }
    let blobs = Self.files(in: folder.appending(path: "blobs"))
    if staying.isEmpty {
      return CacheRemoval(
        byteCount: Self.size(of: blobs), fileCount: going.count,
        places: [folder, locks(name.repository)], folders: [])
    }
    let needed = Set(staying.map { $0.resolvingSymlinksInPath().plainPath })
    let targets = Set(going.map { $0.resolvingSymlinksInPath().plainPath })
    let freed = blobs.filter {
      let path = $0.resolvingSymlinksInPath().plainPath
      return targets.contains(path) && !needed.contains(path)
    }
    // A revision goes with the last file of its commit.
    let emptied = chosen.filter { commit in
      let path = snapshot(name.repository, commit: commit).plainPath + "/"
      return !staying.contains { $0.plainPath.hasPrefix(path) }
    }
    let refs = revisions(of: name.repository).filter { emptied.contains($0.commit) }.map {
      folder.appending(path: "refs/" + $0.name)
    }
    return CacheRemoval(
      byteCount: Self.size(of: freed), fileCount: going.count, places: refs + going + freed,
      folders: emptied.map { snapshot(name.repository, commit: $0) })
  }
}
