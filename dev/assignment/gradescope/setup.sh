#!/bin/sh
# Gradescope runs this once, as root, when it builds the image.
apt-get update && apt-get install -y gcc libc6-dev make
