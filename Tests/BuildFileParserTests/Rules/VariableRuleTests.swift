import BuildFileParser
import Testing

@Suite struct VariableRuleTests {
    @Test(arguments: [
        Example("FROM $BASE\n", "UndefinedArgInFrom@1:6-11", "InvalidDefaultArgInFrom@1:6-11"),
        Example(
            "ARG VERSION=1\nFROM alpine:${VERSIONS}\n",
            "InvalidDefaultArgInFrom@2:6-24",
            "UndefinedArgInFrom@2:13-24"
        ),
        Example("ARG V=1\nFROM alpine:$V\n"),
        Example("FROM alpine:${V:-1}\n"),
        Example("FROM --platform=$BUILDPLATFORM alpine\n"),
        Example("FROM --platform=$BULDPLATFORM alpine\n", "UndefinedArgInFrom@1:17-30"),
        Example("ARG V\nFROM alpine:${V}\n", "InvalidDefaultArgInFrom@2:6-17"),
        Example("ARG V\nFROM $V\n", "InvalidDefaultArgInFrom@2:6-8"),
        Example("ARG V\nFROM alpine:${V:-3}\n"),
        Example("ARG V=b\nFROM scratch AS b\nFROM $V\n"),
        Example("FROM alpine:$TARGETARCH\n"),
    ])
    func from(_ example: Example) throws { try example.check() }

    @Test(arguments: [
        Example("FROM --platform=$TARGETPLATFORM alpine\n", "RedundantTargetPlatform@1:17-32"),
        Example("FROM --platform=${TARGETPLATFORM} alpine\n", "RedundantTargetPlatform@1:17-34"),
        Example("FROM --platform=${TARGETPLATFORM:-linux/amd64} alpine\n"),
        Example("FROM --platform=linux/amd64 alpine\n", "FromPlatformFlagConstDisallowed@1:17-28"),
        Example("FROM --platform=linux/amd64 alpine AS build-amd64\n"),
        Example("FROM --platform=linux/amd64 alpine AS linux\n"),
        Example("FROM --platform=linux/arm64 alpine AS other\n", "FromPlatformFlagConstDisallowed@1:17-28"),
    ])
    func platform(_ example: Example) throws { try example.check() }

    @Test(arguments: [
        Example("FROM alpine\nCOPY $foo .\n", "UndefinedVar@2:6-10"),
        Example("FROM alpine\nARG foo\nCOPY $foo .\n"),
        Example("FROM scratch\nCOPY a \\\n  ${dst}\n", "UndefinedVar@3:3-9"),
        Example("FROM scratch\nENV a=$b c=$b\n", "UndefinedVar@2:7-9"),
        Example("FROM scratch\nENV a=1\nENV b=$a PATH=/x:$PATH\n"),
        Example("FROM scratch\nWORKDIR /${a:-x}\nUSER ${b:+c}\n"),
        Example("FROM scratch\nLABEL a='$b' c=\\$d\n"),
        Example("FROM scratch\nENV a=1\nFROM scratch\nUSER $a\n", "UndefinedVar@4:6-8"),
        Example("FROM scratch AS base\nENV a=1\nFROM base\nUSER $a\n"),
        Example("FROM scratch\nRUN --mount=type=bind,target=$x true\n", "UndefinedVar@2:30-32"),
        Example("FROM scratch\nRUN echo $x\nCMD [\"$x\"]\n"),
        Example("FROM scratch\nCOPY <<A /a\n$x\nA\n"),
        Example("FROM company/base\nWORKDIR $GOPATH/src\n"),
        Example("FROM company/base\nARG NODE_ENV\nUSER $NODE_EN\n", "UndefinedVar@3:6-14"),
        Example("ARG TAG=1\nFROM alpine\nLABEL tag=$TAG\n", "UndefinedVar@3:11-15"),
        Example("ARG NODE=1\nFROM node:$NODE\nLABEL tag=$NODE\n"),
        Example("ARG APP=1\nFROM node\nLABEL tag=$APP\n", "UndefinedVar@3:11-15"),
    ])
    func undefined(_ example: Example) throws { try example.check() }

    @Test func baseVariablesThatAreKnownDecide() throws {
        let source = "FROM company/base\nWORKDIR $GOPATH/src\n"
        #expect(try findings(source, baseVariables: [0: ["PATH", "GOPATH"]]).isEmpty)
        #expect(try findings(source, baseVariables: [0: ["PATH"]]) == ["UndefinedVar@2:9-16"])
    }

    @Test func closeNamesAreSuggested() throws {
        let found = try allFindings("FROM alpine\nARG VERSION\nLABEL v=$VERSON\n")
        #expect(found.map(\.message) == ["Usage of undefined variable '$VERSON' (did you mean $VERSION?)"])
        let inFrom = try allFindings("ARG VERSION=1\nFROM alpine:1${VERSON:-}${VERSON}\n")
        #expect(inFrom.first?.message == "FROM argument 'VERSON' is not declared (did you mean VERSION?)")
    }

    @Test(arguments: [
        Example("ARG TAG=1\nFROM alpine\nRUN echo $TAG\n", "GlobalArgNotInStage@3:10-14"),
        Example("ARG TAG=1\nFROM alpine\nARG TAG\nRUN echo $TAG\n"),
        Example("ARG TAG=1\nFROM alpine\nENV TAG=2\nRUN echo $TAG\n"),
        Example("ARG TAG=1\nFROM alpine\nRUN TAG=2; echo $TAG\n"),
        Example("ARG TAG=1\nFROM alpine\nRUN read TAG && echo \"$TAG\"\n"),
        Example("ARG TAG=1\nFROM alpine\nRUN echo '$TAG' \\$TAG ${TAG:-2}\n"),
        Example("ARG TAG=1\nFROM alpine\nRUN [\"echo\", \"$TAG\"]\n"),
        Example("ARG TAG=1\nFROM alpine\nRUN . ./env && echo $TAG\n"),
        Example("ARG TAG=1\nFROM alpine\nRUN a \\\n  && echo \"x${TAG}\"\n", "GlobalArgNotInStage@4:13-19"),
        Example("ARG TAG=1\nFROM alpine\nRUN <<A\nset -e\necho $TAG\nA\n", "GlobalArgNotInStage@5:6-10"),
        Example("ARG TAG=1\nFROM alpine\nRUN <<-A\n\tset -e\n\techo $TAG\nA\n", "GlobalArgNotInStage@5:7-11"),
        Example("FROM alpine\nRUN echo $TARGETARCH\n", "GlobalArgNotInStage@2:10-21"),
        Example("FROM alpine\nARG TARGETARCH\nRUN echo $TARGETARCH\n"),
        Example("ARG NODE_VERSION=1\nFROM node:$NODE_VERSION\nRUN echo $NODE_VERSION\n"),
        Example("ARG TAG=1\nFROM alpine\nSHELL [\"pwsh\", \"-c\"]\nRUN echo $TAG\n"),
    ])
    func globalArguments(_ example: Example) throws { try example.check() }
}
