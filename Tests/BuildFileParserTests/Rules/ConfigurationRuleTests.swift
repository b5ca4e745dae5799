import BuildFileParser
import Testing

@Suite struct ConfigurationRuleTests {
    @Test(arguments: [
        Example("FROM alpine\nCMD a b\n", "JSONArgsRecommended@2:5-8"),
        Example("FROM alpine\nENTRYPOINT a\n", "JSONArgsRecommended@2:12-13"),
        Example("FROM alpine\nCMD [\"a\"]\nENTRYPOINT [\"b\"]\n"),
        Example("FROM alpine\nSHELL [\"/bin/bash\", \"-c\"]\nCMD a b\n"),
        Example("FROM alpine AS a\nSHELL [\"/bin/bash\", \"-c\"]\nFROM a\nCMD a b\n"),
    ])
    func shellForm(_ example: Example) throws { try example.check() }

    @Test(arguments: [
        Example("FROM alpine\nCMD [\"a\"]\nCMD [\"b\"]\n", "MultipleInstructionsDisallowed@2:1-4"),
        Example("FROM alpine\nENTRYPOINT [\"a\"]\nENTRYPOINT [\"b\"]\n", "MultipleInstructionsDisallowed@2:1-11"),
        Example("FROM alpine\nHEALTHCHECK NONE\nHEALTHCHECK CMD [\"b\"]\n", "MultipleInstructionsDisallowed@2:1-12"),
        Example(
            "FROM alpine\nCMD [\"a\"]\nCMD [\"b\"]\nCMD [\"c\"]\n",
            "MultipleInstructionsDisallowed@2:1-4",
            "MultipleInstructionsDisallowed@3:1-4"
        ),
        Example("FROM alpine AS a\nCMD [\"a\"]\nFROM a\nCMD [\"b\"]\n"),
    ])
    func onlyTheLastCounts(_ example: Example) throws { try example.check() }

    @Test(arguments: [
        Example("FROM alpine\nMAINTAINER me\n", "MaintainerDeprecated@2:1-11"),
        Example("FROM alpine\nLABEL maintainer=me\n"),
        Example("FROM alpine\nWORKDIR app\n", "WorkdirRelativePath@2:9-12"),
        Example("FROM alpine\nWORKDIR app\nWORKDIR b\n", "WorkdirRelativePath@2:9-12"),
        Example("FROM alpine\nWORKDIR /app\nWORKDIR b\n"),
        Example("FROM alpine AS a\nWORKDIR /app\nFROM a\nWORKDIR b\n"),
        Example("FROM alpine\nENV d=app\nWORKDIR $d\n", "WorkdirRelativePath@3:9-11"),
        Example("# escape=`\nFROM windows\nENV d=C:\\src\nWORKDIR $d\\a\nFROM windows\nWORKDIR c:/a\n"),
        Example("FROM alpine\nARG d\nWORKDIR $d\nFROM alpine\nENV d=/app\nWORKDIR ${d}/x\n"),
    ])
    func maintainerAndWorkdir(_ example: Example) throws { try example.check() }

    @Test(arguments: [
        Example("FROM alpine\nEXPOSE 80/TCP\n", "ExposeProtoCasing@2:8-14"),
        Example("FROM alpine\nEXPOSE 53/tcp 53/Udp\n", "ExposeProtoCasing@2:15-21"),
        Example("FROM alpine\nEXPOSE 80:80\n", "ExposeInvalidFormat@2:8-13"),
        Example("FROM alpine\nEXPOSE 127.0.0.1:80:80/TCP\n", "ExposeProtoCasing@2:8-27", "ExposeInvalidFormat@2:8-27"),
        Example("FROM alpine\nEXPOSE 80 443/tcp 9000-9010/udp\n"),
    ])
    func ports(_ example: Example) throws { try example.check() }

    @Test(arguments: [
        Example("FROM alpine\nARG AWS_SECRET_KEY\n", "SecretsUsedInArgOrEnv@2:5-19"),
        Example("FROM alpine\nENV a=1 DB_PASSWORD=x\n", "SecretsUsedInArgOrEnv@2:9-20"),
        Example("ARG token\nFROM alpine\n", "SecretsUsedInArgOrEnv@1:5-10"),
        Example("FROM alpine\nENV PUBLIC_KEY=x KEYBOARD=de MONKEY=1\n"),
        Example("FROM alpine\nENV DB_PASSWORD_FILE=/run/x SSH_AUTH_SOCK=/x USE_AUTH=false TLS_KEY=/etc/key.pem\n"),
        Example("FROM alpine\nENV GPG_KEY=7169605F62C751356D054A26A821E680E5FA6305\n"),
    ])
    func secretNames(_ example: Example) throws { try example.check() }

    @Test(arguments: [
        Example("FROM alpine\nENV ID=AKIAIOSFODNN7ABCDEFG\n", "SecretInArgOrEnvValue@2:8-28"),
        Example("FROM alpine\nENV ID=AKIAIOSFODNN7EXAMPLE\n"),
        Example("FROM alpine\nENV A=AKIAaaaaaaaaaaaaaaaa B=AKIA C=$AKIA\n", "UndefinedVar@2:37-42"),
        Example("FROM alpine\nARG DB=postgres://me:s3cr3t@db/x\n", "SecretInArgOrEnvValue@2:8-33"),
        Example("FROM alpine\nENV DB=postgres://me:password@db/x U=https://a@b/c V=http://a.b:80/@c\n"),
        Example("FROM alpine\nARG P\nENV DB=postgres://me:${P}@db/x\n"),
    ])
    func secretValues(_ example: Example) throws { try example.check() }

    @Test func ignoredFiles() throws {
        let patterns = ["/node_modules", "*.log", "dist", "!dist/keep", "docs/**"]
        func found(_ line: String) throws -> [String] { try findings("FROM alpine\n\(line)\n", ignoring: patterns) }
        #expect(try found("COPY node_modules /a/") == ["CopyIgnoredFile@2:6-18"])
        #expect(try found("COPY ./a.log b /a/") == ["CopyIgnoredFile@2:6-13"])
        #expect(try found("ADD /docs/x /a/") == ["CopyIgnoredFile@2:5-12"])
        #expect(try found("COPY . /a/").isEmpty)
        #expect(try found("COPY *.log /a/").isEmpty)
        #expect(try found("COPY dist /a/").isEmpty)
        #expect(try found("COPY dist/keep /a/").isEmpty)
        #expect(try found("COPY dist/other /a/") == ["CopyIgnoredFile@2:6-16"])
        #expect(try found("COPY --from=x a.log /a/").isEmpty)
        #expect(try found("ADD https://x/a.log /a/").isEmpty)
        #expect(try findings("FROM alpine\nCOPY a.log /\n").isEmpty)
    }
}
