// A hostile file: a valid one with a named patch, and what the library must make of it.
#pragma once

#include <ckpt/error.hpp>

#include <support/file_image.hpp>

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

namespace ckpt::test::hostile {

/// Who finds it, when its sums are right. Whatever is not `accept` or `decode` is refused by Verify::full at open.
enum class Verdict {
  accept,  ///< nobody: the format gives it a meaning
  open,    ///< opening the file
  object,  ///< binding the tensor concerned; all others can be used
  part,    ///< reading metadata or graph; all tensors can be used
  decode,  ///< decompressing the tensor concerned; full verification goes by sums, which are right
  verify,  ///< full verification; using the file is safe, whether or not it finds something
};

/// The valid file that is patched.
enum class Base { sample, wide, planes, levels };

/// Which sums the second variant of the file makes right again; `none`: those that cover the patch are right anyway.
enum class Seal { none, header, footer, index, data };

using Patch = std::function<void(FileImage&)>;

struct Case {
  std::string name;
  int number = 0;  ///< in the list of docs/testing.md; 0: that has no line for it
  Verdict verdict = Verdict::object;
  ErrorCode code = ErrorCode::corrupt;
  std::vector<std::string> says = {};  ///< all of this is in one of the messages
  Patch patch;
  Seal seal = Seal::index;
  std::size_t failing = 1;  ///< for Verdict::object and decode: how many tensors cannot be used
  Base base = Base::sample;
};
using Cases = std::vector<Case>;

Cases container_cases();
Cases footer_cases();
Cases index_cases();
Cases vector_cases();
Cases path_cases();
Cases shape_cases();
Cases blob_cases();
Cases chunk_cases();
Cases plane_cases();
Cases metadata_cases();
Cases graph_cases();
Cases table_cases();
Cases sum_cases();

/// All of these.
Cases all_cases();

/// Sums as they were, and sums made right, as an attacker would.
enum class Variant { left, repaired };

/// The bytes of hostile files; each valid file is written once.
class Forge {
 public:
  FileImage valid(Base base);
  FileImage make(const Case& test, Variant variant);

 private:
  std::vector<std::pair<Base, FileImage>> written_;
};

/// "blob-past-the-end.ckpt"; with sums that were left: "blob-past-the-end.left.ckpt".
std::string file_name(const Case& test, Variant variant);

}  // namespace ckpt::test::hostile
