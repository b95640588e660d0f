#include "table.hpp"

#include "text.hpp"

#include <algorithm>

namespace ckptdump {

std::string Table::line(const std::vector<std::string>& row, const std::vector<std::size_t>& widths) const {
  std::string text;
  for (std::size_t i = 0; i < row.size(); ++i) {
    const std::string padding = spaces(widths[i] - std::min(widths[i], display_width(row[i])));
    text += columns_[i].align == Align::right ? padding + row[i] : row[i] + padding;
    text += "  ";
  }
  text.erase(text.find_last_not_of(' ') + 1);
  return text;
}

void Table::print(Context& context) const {
  if (rows_.empty()) return;
  std::vector<std::string> titles;
  titles.reserve(columns_.size());
  for (const Column& column : columns_) titles.push_back(column.title);
  constexpr std::size_t kMostWidth = 120;  // one long cell must not widen all lines
  std::vector<std::size_t> widths;
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    std::size_t width = display_width(titles[i]);
    for (const auto& row : rows_) width = std::max(width, display_width(row[i]));
    widths.push_back(std::min(width, kMostWidth));
  }
  context.out.print("{}\n", context.style.bold(line(titles, widths)));
  for (const auto& row : rows_) context.out.print("{}\n", line(row, widths));
}

}  // namespace ckptdump
