internal import CTorch

/// Settings of the engine as a whole.
public enum Engine {
  /// The number of threads that products run on.
  public static var threads: Int {
    get { Int(ct_threads()) }
    set { ct_set_threads(Int32(newValue)) }
  }

  /// Keeps memory that tensors give back, up to half a gigabyte, for the next ones.
  ///
  /// Otherwise the C library returns large pieces to the system, which clears every page again when
  /// they are next asked for. For a program of its own: a library should leave this to its host.
  public static func keepFreedMemory() { ct_keep_freed_memory() }

  /// The version of libtorch in use.
  public static var version: String { String(cString: ct_engine_version()) }

  /// Makes random tensors repeatable.
  public static func seed(_ value: UInt64) { ct_seed(value) }
}
