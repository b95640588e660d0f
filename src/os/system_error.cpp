#include "os/system_error.hpp"

#include <cerrno>
#include <utility>

namespace ckpt::os {
namespace {

ErrorCode code_of(int system_error) {
  switch (system_error) {
    case ENOENT:
      return ErrorCode::not_found;
    case EEXIST:
      return ErrorCode::already_exists;
    default:
      return ErrorCode::io;
  }
}

const char* advice_for(int system_error) {
  switch (system_error) {
    case ENOTDIR:
      return "there is a file where the path needs a directory: choose another path";
    case ENOENT:
      return "check the path; a missing directory has to be created first";
    case EACCES:
    case EPERM:
      return "check the owner and the permissions of the file and its directory";
    case EROFS:
      return "the file system is mounted read-only: choose another directory";
    case ENOSPC:
      return "the disk is full: free some space or choose another directory, then save again";
    case EDQUOT:
      return "the disk quota is used up: free some space, then save again";
    case EMFILE:
    case ENFILE:
      return "too many open files: raise the limit (ulimit -n) or close some";
    case EIO:
      return "the device failed: look at the kernel's log, and do not trust a second try on it";
    case EISDIR:
      return "a directory is in the way: choose another name";
    case ENAMETOOLONG:
      return "choose a shorter name";
    case ENOMEM:
      return "the process is out of memory or of mappings (vm.max_map_count)";
    case EFBIG:
      return "the file system or the limit of the process (ulimit -f) does not allow so large a file";
    default:
      return "";
  }
}

}  // namespace

void throw_system_error(int system_error, std::string problem, const std::filesystem::path& file,
                        std::optional<std::uint64_t> offset) {
  throw Error{code_of(system_error),
              {.problem = std::move(problem),
               .file = file,
               .offset = offset,
               .advice = advice_for(system_error),
               .system_error = system_error}};
}

}  // namespace ckpt::os
