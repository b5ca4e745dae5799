import Testing

@testable import Builder

/// What of the machine's name servers a step is given.
@Suite struct ResolverFileTests {
    private static let cases: [(machines: String, steps: String)] = [
        ("nameserver 192.0.2.53\n", "nameserver 192.0.2.53\n"),
        (
            "nameserver 127.0.0.53\noptions edns0 trust-ad\nsearch lan\n",
            "nameserver HELPER\noptions edns0 trust-ad\nsearch lan\n"
        ),
        ("nameserver 127.0.0.1\nnameserver ::1\nnameserver 9.9.9.9\n", "nameserver HELPER\nnameserver 9.9.9.9\n"),
        ("nameserver 9.9.9.9\nnameserver fe80::1%eth0\n", "nameserver 9.9.9.9\nnameserver HELPER\n"),
        ("nameserver\t::ffff:127.0.0.1", "nameserver HELPER"),
        ("nameserver 2001:db8::53\n", "nameserver 2001:db8::53\n"),
        ("nameserver 0.0.0.0\n", "nameserver HELPER\n"),
        ("nameserver 198.51.100.7\nnameserver 2001:db8:0::7\n", "nameserver HELPER\n"),
        ("# nameserver 9.9.9.9\nsearch lan\n", "# nameserver 9.9.9.9\nsearch lan\nnameserver HELPER\n"),
        ("", "nameserver HELPER\n"),
    ]

    @Test func replacesServersOutOfReach() {
        for (machines, steps) in Self.cases {
            let adapted = ResolverFile.adapted(
                Array(machines.utf8),
                nameServer: "HELPER",
                unreachable: ["198.51.100.7", "2001:db8::7", "fe80::1%eth0"]
            )
            #expect(String(decoding: adapted, as: UTF8.self) == steps, "\(machines)")
        }
    }

    @Test func theLoopbackAddressIsOneOfTheMachines() {
        #expect(ResolverFile.ownAddresses().contains("127.0.0.1"))
    }
}
