import CShims
import Glibc
import SystemPackage

/// Hears of a step's trapped calls and answers them.
final class CallListener {
    private let supervision: Supervision
    /// The channel on which the step's process sends the listener, then the listener.
    private var source: Descriptor
    private var isListening = false

    fileprivate init(_ supervision: Supervision, channel: consuming Descriptor) {
        self.supervision = supervision
        source = channel
    }

    /// What to poll for reading; negative when there is nothing to be heard any more.
    var descriptor: CInt { source.number }

    /// Does what the descriptor is ready for, given what poll(2) says of it.
    func serve(_ events: Int16) {
        guard isListening else { return accept() }
        if events & Int16(POLLIN) != 0 {
            answer(source.number)
        } else {
            // Every process with the filter is gone.
            source = Descriptor(-1)
        }
    }

    private func accept() {
        let result = swb_notify_accept(source.number)
        switch -result {
        case EAGAIN: break
        case EPIPE: source = Descriptor(-1)
        case let code where code > 0:
            let error = Errno(rawValue: code)
            let goesOn = supervision.supervisors.allSatisfy { $0.mayRunUnsupervised(error) }
            _ = swb_notify_decide(source.number, goesOn ? 1 : 0)
            source = Descriptor(-1)
        default:
            source = Descriptor(result)
            isListening = true
        }
    }

    private func answer(_ listener: CInt) {
        var notification = swb_notification()
        // ENOENT: who asked is gone.
        guard swb_notify_next(listener, &notification) == 0 else { return }
        let architecture = FilterArchitecture(rawValue: notification.architecture)
        let call = TrappedCall(
            notification,
            name: architecture.flatMap { SystemCallTable.name(of: UInt32(bitPattern: notification.number), $0) } ?? "",
            isNative: architecture?.isNative ?? false,
            listener: listener
        )
        var answer = swb_answer(id: notification.id, value: 0, error: 0, proceed: 0)
        switch supervision.answer(call) {
        case .proceed: answer.proceed = 1
        case .value(let value): answer.value = value
        case .failure(let error): answer.error = error.rawValue
        }
        _ = swb_notify_answer(listener, &answer)
    }
}

/// What connects a step's process with the listener that this process hears it by.
struct CallChannel: ~Copyable {
    /// This program's end of the channel.
    private let own: Descriptor
    /// The step's end of the channel.
    let remote: Descriptor

    init() throws(Errno) {
        var ends: [CInt] = [-1, -1]
        let failure = swb_socket_pair(&ends)
        guard failure == 0 else { throw Errno(rawValue: failure) }
        let first = Descriptor(ends[0])
        let second = Descriptor(ends[1])
        remote = try second.lifted()
        own = first
    }

    /// Who hears of the calls.
    borrowing func listener(_ supervision: Supervision) throws(Errno) -> CallListener {
        let number = fcntl(own.number, F_DUPFD_CLOEXEC, 3)
        guard number >= 0 else { throw Errno(rawValue: errno) }
        return CallListener(supervision, channel: Descriptor(number))
    }
}
