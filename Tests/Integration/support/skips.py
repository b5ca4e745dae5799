"""Why a test may be skipped."""

# How a reason begins that no set-up of this machine can do anything about: nobody answers in the world outside.
OUTSIDE = "outside: "
