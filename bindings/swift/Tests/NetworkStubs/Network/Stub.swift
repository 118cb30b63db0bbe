import Dispatch
import Foundation

/// Lets a test control and inspect the module's monitors and connections.
public enum Stub {
  /// A framework object: started at most once, cancelled at least once if it was started, with
  /// events on its queue only.
  public final class Source<Event: Sendable>: @unchecked Sendable {
    private let lock = NSLock()
    private var queue: DispatchQueue?
    private var storedHandler: (@Sendable (Event) -> Void)?
    private var counts = Counts()
    private var path: NWPath?
    private let first: Event?
    private let world: World

    init(first: Event?, world: World) {
      self.first = first
      self.world = world
    }

    /// Numbers of calls.
    public struct Counts: Equatable, Sendable {
      public var started: Int
      public var restarted: Int
      public var cancelled: Int

      public init(started: Int = 0, restarted: Int = 0, cancelled: Int = 0) {
        (self.started, self.restarted, self.cancelled) = (started, restarted, cancelled)
      }
    }

    var handler: (@Sendable (Event) -> Void)? {
      get { lock.withLock { storedHandler } }
      set { lock.withLock { storedHandler = newValue } }
    }

    func start(_ queue: DispatchQueue) {
      lock.withLock {
        self.queue = queue
        counts.started += 1
      }
      if let first { send(first) }
    }

    func restart() { lock.withLock { counts.restarted += 1 } }

    func cancel() { lock.withLock { counts.cancelled += 1 } }

    /// For connections only.
    var currentPath: NWPath? { lock.withLock { path } }

    public var callCounts: Counts { lock.withLock { counts } }

    /// Delivers an event as the framework does: asynchronously on the queue, also if it races with
    /// a cancel. Sets the current path of a connection.
    public func send(_ event: Event, currentPath: NWPath? = nil) {
      lock.withLock { path = currentPath }
      lock.withLock { queue }?.async {
        // Objects that the handler creates belong to the same test.
        Stub.$world.withValue(self.world) { self.handler?(event) }
      }
    }
  }

  /// A path monitor.
  public typealias Monitor = Source<NWPath>
  /// A connection.
  public typealias Connection = Source<NWConnection.State>

  /// The objects of the module that one test creates.
  public final class World: @unchecked Sendable {
    private let lock = NSLock()
    private var created = Objects()
    private var first: (path: NWPath?, usual: NWPath?, state: NWConnection.State?)

    /// The objects that the package created in this world.
    public struct Objects: Sendable {
      public var cellular: [Monitor] = []
      public var anyNetwork: [Monitor] = []
      public var connections: [Connection] = []
      /// Host, port and required interface of each connection.
      public var endpoints: [String] = []
    }

    public init() {}

    public var all: Objects { lock.withLock { created } }

    /// Sets what each cellular monitor and each connection reports immediately on start: before any
    /// timeout that the package sets after that, regardless of machine load. `usual`: what each
    /// monitor of any network reports.
    public func atStart(path: NWPath?, usual: NWPath? = nil, connection state: NWConnection.State? = nil) {
      lock.withLock { first = (path, usual, state) }
    }

    var atStart: (path: NWPath?, usual: NWPath?, state: NWConnection.State?) { lock.withLock { first } }

    func change(_ change: (inout Objects) -> Void) {
      lock.withLock { change(&created) }
    }
  }

  /// The world of the running test.
  @TaskLocal public static var world = World()

  static func monitor(_ type: NWInterface.InterfaceType?) -> Monitor {
    let monitor = Monitor(first: type == .cellular ? world.atStart.path : world.atStart.usual, world: world)
    world.change { if type == .cellular { $0.cellular.append(monitor) } else { $0.anyNetwork.append(monitor) } }
    return monitor
  }

  static func connection(_ host: String, _ port: UInt16, _ type: NWInterface.InterfaceType) -> Connection {
    let connection = Connection(first: world.atStart.state, world: world)
    world.change {
      $0.connections.append(connection)
      $0.endpoints.append("\(host):\(port) over \(type)")
    }
    return connection
  }
}

extension NWPath {
  /// A path with these interfaces.
  public init(_ status: Status, _ interfaces: [NWInterface] = [], because reason: UnsatisfiedReason = .notAvailable) {
    self.init(status: status, unsatisfiedReason: reason, availableInterfaces: interfaces)
  }
}

extension NWInterface {
  /// Wi-Fi.
  public static let wifi = NWInterface(type: .wifi, index: 3)
  /// The cellular network.
  public static let cellular = NWInterface(type: .cellular, index: 7)
}
