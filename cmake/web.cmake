# The page's files become bytes in the aggregator: nothing is fetched when it runs.
#
# Included by CMakeLists.txt it makes the rules; run by `cmake -P` it writes the source file:
#   cmake -DOUTPUT=page_assets.cc -DWEB=FOLDER -DUPLOT=FOLDER -P web.cmake

if(CMAKE_SCRIPT_MODE_FILE)
  set(arrays "")
  set(table "")
  set(count 0)
  function(embed path type file)
    file(READ "${file}" hex HEX)
    string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
    set(arrays "${arrays}constexpr unsigned char kBytes${count}[] = {${bytes}};\n" PARENT_SCOPE)
    set(table "${table}    {\"${path}\", \"${type}\", kBytes${count}, sizeof(kBytes${count})},\n" PARENT_SCOPE)
    math(EXPR next "${count} + 1")
    set(count ${next} PARENT_SCOPE)
  endfunction()
  set(type_html "text/html; charset=utf-8")
  set(type_js "text/javascript; charset=utf-8")
  set(type_css "text/css; charset=utf-8")
  set(type_svg "image/svg+xml")
  file(GLOB_RECURSE files RELATIVE "${WEB}" "${WEB}/*.html" "${WEB}/*.js" "${WEB}/*.css" "${WEB}/*.svg")
  list(SORT files)
  set(views "")
  set(imports "")
  foreach(file ${files})
    string(REGEX REPLACE "^.*[.]" "" extension "${file}")
    string(REGEX REPLACE "^index[.]html$" "" path "${file}")
    embed("/${path}" "${type_${extension}}" "${WEB}/${file}")
    if(file MATCHES "^views/(.*)[.]js$")
      string(APPEND imports "import ${CMAKE_MATCH_1} from \"./${file}\";\n")
      list(APPEND views ${CMAKE_MATCH_1})
    endif()
  endforeach()
  # The list of the views: the page finds each by its file alone.
  list(JOIN views ", " views)
  file(WRITE "${OUTPUT}.views.js" "${imports}export const views = [${views}];\n")
  embed("/views.js" "${type_js}" "${OUTPUT}.views.js")
  embed("/uplot.js" "text/javascript; charset=utf-8" "${UPLOT}/uPlot.iife.min.js")
  embed("/uplot.css" "text/css; charset=utf-8" "${UPLOT}/uPlot.min.css")
  file(WRITE "${OUTPUT}" "// Generated from aggregator/pages/web and npm's uplot.
#include \"aggregator/pages/assets.h\"

namespace weir {
namespace {
${arrays}
constexpr Asset kAssets[] = {
${table}};
}  // namespace

std::span<const Asset> assets() { return kAssets; }

}  // namespace weir
")
  return()
endif()

set(WEIR_UPLOT_DIR "" CACHE PATH "uPlot's dist folder; empty: npm brings the pinned version at build time")
set(web ${CMAKE_SOURCE_DIR}/aggregator/pages/web)
set(node ${CMAKE_BINARY_DIR}/web)

if(WEIR_UPLOT_DIR)
  set(uplot ${WEIR_UPLOT_DIR})
else()
  set(uplot ${node}/node_modules/uplot/dist)
  find_program(WEIR_NPM npm)
  if(NOT WEIR_NPM)
    message(FATAL_ERROR "npm was not found: it brings the page's chart library. Install it (apt install npm, "
                        "dnf install npm), or give uPlot's dist folder with -DWEIR_UPLOT_DIR=FOLDER")
  endif()
  add_custom_command(
    OUTPUT ${uplot}/uPlot.iife.min.js ${uplot}/uPlot.min.css
    COMMAND ${CMAKE_COMMAND} -E make_directory ${node}
    COMMAND ${CMAKE_COMMAND} -E copy ${web}/package.json ${web}/package-lock.json ${node}
    COMMAND ${WEIR_NPM} ci --prefix ${node} --ignore-scripts --no-audit --no-fund --loglevel=error
    COMMAND ${CMAKE_COMMAND} -E touch ${uplot}/uPlot.iife.min.js ${uplot}/uPlot.min.css
    DEPENDS ${web}/package.json ${web}/package-lock.json
    COMMENT "Bringing the page's chart library"
    VERBATIM)
endif()

file(GLOB_RECURSE page_files CONFIGURE_DEPENDS ${web}/*.html ${web}/*.js ${web}/*.css ${web}/*.svg)
set(page_assets ${CMAKE_BINARY_DIR}/generated/page_assets.cc)
add_custom_command(
  OUTPUT ${page_assets}
  COMMAND ${CMAKE_COMMAND} -DOUTPUT=${page_assets} -DWEB=${web} -DUPLOT=${uplot} -P ${CMAKE_CURRENT_LIST_FILE}
  DEPENDS ${page_files} ${uplot}/uPlot.iife.min.js ${uplot}/uPlot.min.css ${CMAKE_CURRENT_LIST_FILE}
  COMMENT "Embedding the page"
  VERBATIM)
target_sources(weir_pages PRIVATE ${page_assets})
