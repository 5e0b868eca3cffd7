# What another creator of roots than Kiln's is called with, in place of a file system.
{
  runCommand,
  storePaths,
  volumeLabel,
  compressImage,
  populateImageCommands,
  uuid ? "none",
}:
runCommand "made" { } ''
  printf '%s\n' 'label ${volumeLabel}' 'compressed ${toString compressImage}' 'commands ${populateImageCommands}' \
    'uuid ${uuid}' 'paths ${toString storePaths}' > "$out"
  truncate -s 1M "$out"
''
