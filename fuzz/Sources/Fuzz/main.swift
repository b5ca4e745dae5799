import CFuzzer
import Glibc

// Runs the fuzzer that the environment variable FUZZ names; the arguments are libFuzzer's.

guard let name = getenv("FUZZ").map({ String(cString: $0) }), let harness = Harness(rawValue: name) else {
    print("set FUZZ to one of: " + Harness.allCases.map(\.rawValue).joined(separator: " "))
    exit(64)
}
Harness.chosen = harness
var count = CommandLine.argc
var arguments: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>? = CommandLine.unsafeArgv
exit(
    LLVMFuzzerRunDriver(&count, &arguments) { data, size in
        Harness.chosen.run(Array(UnsafeBufferPointer(start: data, count: size)))
        return 0
    }
)
