#!@busybox@ sh
# Stage 2 of a release that should not have been made: process 1 ends, and the kernel panics.
echo "STAGE2 @toplevel@"
echo "this release does not start"
exit 1
