import CShims
import Glibc
import SystemPackage

/// A network helper that serves a namespace; killed with the value.
final class HelperProcess: Sendable {
    private let process: pid_t
    private let processDescriptor: SharedDescriptor
    /// The helper lives as long as this is open.
    private let lifeline: SharedDescriptor
    /// Kept open, so that a helper that complains does not die of it; what the pipe cannot hold is lost.
    private let errors: SharedDescriptor

    private init(_ process: pid_t, _ descriptor: CInt, lifeline: SharedDescriptor, errors: SharedDescriptor) {
        self.process = process
        processDescriptor = SharedDescriptor(descriptor)
        self.lifeline = lifeline
        self.errors = errors
    }

    deinit {
        _ = swb_pidfd_kill(processDescriptor.number, SIGKILL)
        var waited: pid_t
        repeat {
            waited = wait4(process, nil, CInt(bitPattern: UInt32(__WALL)), nil)
        } while waited < 0 && errno == EINTR
    }

    /// Whether it has not ended.
    var isRunning: Bool {
        var polled = pollfd(fd: processDescriptor.number, events: Int16(POLLIN), revents: 0)
        return poll(&polled, 1, 0) == 0
    }

    /// Starts a helper and returns when it is ready.
    static func start(
        _ helper: NetworkHelper,
        for namespace: NetworkNamespace,
        _ surroundings: NetworkHelper.Surroundings,
        cancellation: Cancellation
    ) throws(NetworkHelperError) -> HelperProcess {
        let launched: (process: HelperProcess, start: HelperStart)
        do {
            launched = try launch(helper, namespace, surroundings)
        } catch {
            throw .start(helper.kind.rawValue, error)
        }
        try launched.start.wait(for: helper, cancellation)
        return launched.process
    }

    private static func launch(
        _ helper: NetworkHelper,
        _ namespace: NetworkNamespace,
        _ surroundings: NetworkHelper.Surroundings
    ) throws(Errno) -> (process: HelperProcess, start: HelperStart) {
        let errors = try SharedPipe()
        let ready = try SharedPipe()
        let report = try SharedPipe()
        let lifeline = try SharedPipe()
        let arena = Arena()
        var lowered = swb_helper(
            program: UnsafePointer(arena.string(helper.path)),
            arguments: UnsafePointer(arena.strings(helper.arguments(surroundings))),
            environment: UnsafePointer(arena.strings(["PATH=/usr/sbin:/usr/bin:/sbin:/bin"])),
            errors: errors.writer.number,
            network: namespace.descriptor.number,
            ready: ready.writer.number,
            report: report.writer.number,
            lifeline: lifeline.reader.number
        )
        var process: pid_t = -1
        var descriptor: CInt = -1
        let failure = withExtendedLifetime((arena, namespace, errors, ready, report, lifeline)) {
            swb_start_helper(&lowered, &process, &descriptor)
        }
        guard failure == 0 else { throw Errno(rawValue: failure) }
        return (
            HelperProcess(process, descriptor, lifeline: lifeline.writer, errors: errors.reader),
            HelperStart(ready: ready.reader, report: report.reader, errors: errors.reader)
        )
    }
}
