import Glibc

/// The cost of verifications: CPU time of this process, user and system, and elapsed time, in seconds.
struct Cost {
  var cpu = 0.0
  var elapsed = 0.0

  static func now() -> Cost {
    var usage = rusage()
    getrusage(RUSAGE_SELF.rawValue, &usage)
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Cost(cpu: seconds(usage.ru_utime) + seconds(usage.ru_stime), elapsed: seconds(time))
  }

  private static func seconds(_ time: timeval) -> Double {
    Double(time.tv_sec) + Double(time.tv_usec) / 1e6
  }

  private static func seconds(_ time: timespec) -> Double {
    Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
  }

  mutating func add(from start: Cost, to end: Cost) {
    cpu += end.cpu - start.cpu
    elapsed += end.elapsed - start.elapsed
  }
}
