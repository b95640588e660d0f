// The state that copies of a Reader share.
#pragma once

#include "format/header.hpp"
#include "format/index_view.hpp"
#include "io/source.hpp"
#include "io/transfer.hpp"

#include <ckpt/reader.hpp>

#include <cstddef>
#include <filesystem>
#include <optional>
#include <span>
#include <vector>

namespace ckpt {

namespace io {

/// A view of a tensor, and what has to be done before it may be looked at.
struct Binding {
  TensorView view;
  std::optional<Transfer> transfer;
};

}  // namespace io

class Reader::Impl {
 public:
  Impl(const std::filesystem::path& path, const ReaderOptions& options);

  const std::filesystem::path& path() const noexcept { return path_; }
  const io::Source& source() const noexcept { return source_; }
  const format::Header& header() const noexcept { return header_; }
  const format::Footer& footer() const noexcept { return footer_; }
  const format::IndexView& index() const noexcept { return *index_; }

  /// The record of a tensor. Throws invalid_argument when there is none of that number, corrupt.
  format::TensorRecord record(std::size_t index) const;

  io::Binding bind(const format::TensorRecord& record) const;
  void transfer(std::span<const io::Transfer> transfers) const;
  void prefault(std::span<const std::size_t> indices) const;
  ObjectGraph graph() const;

 private:
  /// Throws invalid_argument when there is no tensor of that number.
  void require_tensor(std::size_t index) const;

  /// For a file that does not end in a footer: throws corrupt, saying whether it is longer or shorter than it was.
  [[noreturn]] void refuse_end() const;

  std::filesystem::path path_;
  Verify verify_;
  unsigned threads_;  // 0: as transfer() likes
  io::Source source_;
  format::Header header_;
  format::Footer footer_;
  std::vector<std::byte> index_copy_;  // index and page sums, in read mode
  std::optional<format::IndexView> index_;
};

}  // namespace ckpt
