// Columns of text that line up.
#pragma once

#include "context.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace ckptdump {

enum class Align : std::uint8_t { left, right };

struct Column {
  std::string title;
  Align align = Align::left;
};

/// Cells are escaped already. All rows are kept until print(), which needs their widths.
class Table {
 public:
  explicit Table(std::vector<Column> columns) : columns_{std::move(columns)} {}

  /// As many cells as columns.
  void add(std::vector<std::string> row) { rows_.push_back(std::move(row)); }

  /// Titles first, in bold, unless there is no row.
  void print(Context& context) const;

 private:
  std::string line(const std::vector<std::string>& row, const std::vector<std::size_t>& widths) const;

  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace ckptdump
