### 为什么没有做成：写给读者的说明。

## 请求本身。

why-not-found = 没有这个{ $what }。
why-thing-page = 页面
why-thing-task = 任务
why-thing-dataset = 数据集
why-thing-declaration = 申报元数据
why-thing-version = 版本
why-thing-open-version = 公开版本
why-thing-request = 申请
why-thing-access-request = 使用申请
why-thing-project = 项目
why-thing-job = 作业
why-thing-receipt = 凭证
why-thing-token = 令牌
why-thing-account = 账号
why-thing-organization = 机构
why-thing-user = 用户
why-thing-tile = 账本分片
why-thing-download-format = 下载格式
why-thing-row = 记录
why-thing-other = 内容
why-sign-in = 请先登录。
why-nobody = 当前没有登录。
why-denied = 您的角色或令牌的权限范围不允许此操作。
why-roles = 您的角色不允许此操作。
why-token = 令牌不存在、已撤销或已过期。
why-scheme = 请使用 Authorization: Bearer 加接口令牌。
why-stale-form = 表单不属于当前会话，请重新打开页面。
why-other-site = 表单来自其他网站，请在本站提交。
why-sent-already = 此表单已提交，正在处理；请查看项目的作业列表。
why-revision-number = revision 须为整数。
why-form-type = 表单须以 application/x-www-form-urlencoded 发送。
why-form-too-long = 表单内容过长，最多 { $limit }。
why-multipart = multipart 表单无法读取：{ $reason }
why-json-type = 请求体须以 Content-Type: application/json 发送。
why-json-too-long = JSON 请求体最多 { $limit } 字节。
why-json-object = JSON 请求体是数组；此处需要带字段名的对象。
why-json = JSON 请求体第 { $line } 行第 { $column } 列有误：{ $reason }
why-json-fields = 请求体有 { $count } 处不符合要求，见 errors。
why-query = 查询参数有误：{ $reason }
why-path = 地址有误：{ $reason }
why-parameter = 参数 { $name } 的值“{ $got }”不在可选范围内。
why-limit = limit 须为 1 至 { $most }，收到 { $got }。
why-if-match-missing = 请用 If-Match 带上所读内容的修订号（GET 响应中的 ETag）。
why-if-match = If-Match 须为修订号，例如 "7"。
why-changed-meanwhile = 内容已被修改，请重新读取后再决定。
why-key = Idempotency-Key 须为 1 至 255 个可见的 ASCII 字符。
why-key-at-work = 使用此键的第一个请求仍在处理，请稍后再问。
why-key-used = 此键已用于另一个请求，新请求请换新键。
why-cursor = 游标不是本列表给出的。
why-too-slow = 处理时间过长，请稍后重试。
why-body-too-slow = 请求内容没有在 { $seconds } 秒内到达。
why-wasm = kind 为 wasm 的作业须以 multipart/form-data 连同模块发送。
why-accept = 可以提供的格式：{ $known }。
why-range = 文件共 { $length } 字节。
why-other-file = 文件已更换。
why-no-checkpoint = 账本的第一个检查点尚未签署。
why-no-level = 数据集尚未定级；请先编辑条目，为数据集和信息项定级。

## 上传。

why-upload-cut = 上传在收到 { $got } 后中断，请重新上传。
why-upload-cut-of = 上传中断：共 { $announced }，只收到 { $got }；请重新上传。
why-options = options 有误：{ $reason }
why-part-twice = 表单里有不止一个 file 部分。
why-part-missing = 表单里没有 file 部分。
why-part-too-long = 表单字段 { $part } 超过 { $limit }。
why-part-text = 表单字段 { $part } 不是 UTF-8 文本。
why-too-many-parts = 文件之前的表单字段过多。
why-upload-gone = 上传的文件已不再保留，请重新上传。
why-upload-confirmed = 这个文件已经确认读取过了。

## 标识、级别、取值。

why-slug = 标识须为 2 至 80 个小写字母、数字或连字符，以字母开头；收到“{ $given }”。
why-id = { $kind } 须为 UUID，例如 0190a1b2-…；收到“{ $given }”。
why-level = 级别为 L1、L2、L3、L4 之一；收到“{ $given }”。
why-word = “{ $given }”不是可用的值；可用：{ $known }。
why-text-empty = 中文（zh）不能为空。
why-text-too-long = 文本最多 { $limit } 个字；现有 { $got } 个。
why-text-control = 文本不能含控制字符（{ $character }）。
why-field-name = 列名须为 1 至 128 字节且不含控制字符；收到“{ $given }”。
why-bounds = 下限须不大于上限，且都在 ±1e15 之内；收到 { $lo } 至 { $hi }。
why-number = “{ $given }”不是数字。
why-domain-size = 取值表须有 1 至 { $limit } 个值；收到 { $got } 个。
why-domain-twice = 取值表中“{ $value }”出现了两次。
why-domain-value = 取值须为 1 至 256 字节；收到“{ $value }”。

## 目录条目与声明。

why-keyword-count = 关键词最多 30 个；收到 { $got } 个。
why-keyword = 每个关键词为 1 至 40 个字；收到“{ $word }”。
why-region = 地区须为 6、9 或 12 位 GB/T 2260 代码；收到“{ $given }”。
why-entry-too-long = { $field } 最多 { $max } 个字；现有 { $got } 个。
why-field-count = 须声明 1 至 { $limit } 个信息项；收到 { $got } 个。
why-field-twice = 列名“{ $name }”出现了两次（不区分大小写）。
why-bounds-on-text = 信息项“{ $name }”：只有整数和小数可以声明上下限。
why-domain-on-number = 信息项“{ $name }”：只有文本可以声明取值表。
why-unit-keys = 声明了隐私单元（{ $unit }），须恰好有一个信息项的角色是单位键；现有 { $found } 个。
why-key-declared = 信息项“{ $name }”：单位键和直接标识符不能声明上下限、取值表或“每单元一个值”。
why-static-without-unit = 信息项“{ $name }”：声明“每单元一个值”须先声明隐私单元。
why-off-ladder = { $what } 须按 1、2、5、10、20、50…… 的档次填写，最多 { $limit }；收到 { $got }。
why-rows-per-unit = 每单元最大行数须为 1 至 { $limit }，每行为一个单元时须为 1；收到 { $got }。
why-zone = 时区“{ $zone }”不在 IANA 时区数据库中。
why-dictionary = 数据字典无法读取：{ $reason }
why-dictionary-header = 数据字典的首行须为列名：name, label_zh, label_en, type, role, level, lo, hi, domain, unit_static, measure
why-level-below-field = 数据集的级别 { $level } 低于信息项的最高级别 { $least }；数据集的级别不得低于任何一个信息项。
why-unit-of-open = 不敏感（L1）数据集不声明隐私单元；涉及个人或企业的数据至少为 L2。
why-file-name = 文件名“{ $name }”不可用：须为 1 至 200 个字，不含 / \ : 和控制字符。
why-search-page = 第 { $number } 页（每页 { $size } 条）超出范围：每页 1 至 { $most } 条，最多翻到第 { $window } 条；请缩小搜索范围。
why-search-filter = 筛选项 { $facet } 有 { $count } 个值，最多 { $most } 个。
why-slug-taken = 标识“{ $slug }”已被使用，请换一个。
why-retired = 数据集已下线，不再接收新版本。
why-not-opened = L4 数据集只有目录条目和不开放的理由，不上传数据。
why-no-unit = L2、L3 数据集须先声明隐私单元和信息项，再上传文件；请先编辑条目。
why-too-many-uploads = 同时上传到此数据集的文件过多，请稍后重试。
why-released = 发布后不能更改级别、声明和特殊标记；请下线该数据集并新建条目。
why-release-requested = 发布申请正在审查，级别和声明是审查的内容；如需修改请先撤回申请。

## 文件内容。

why-ingest-empty = 文件是空的；请重新导出，上传前检查大小。
why-ingest-header-only = 表头之下没有数据行；受保护的数据和未声明类型的数据至少要有一行。
why-ingest-not-tabular = 这是{ $found }，不是 CSV 或 Parquet。
why-ingest-encoding = 第 { $line } 行（文件第 { $byte } 字节附近）不是有效的 { $encoding }；请另存为 UTF-8，或指定编码。
why-ingest-nul = 第 { $line } 行有 NUL 字节；文件可能是二进制、已损坏，或是没有标记的 UTF-16。
why-ingest-ragged-row = 第 { $line } 行有 { $got } 个值，首行有 { $wanted } 个；请检查分隔符和引号。
why-ingest-record-too-long = 第 { $line } 行起的一条记录超过 { $limit } 字节；是否缺少换行或右引号？
why-ingest-field-too-long = 第 { $line } 行第 { $column } 列的值超过 { $limit } 字节；请删去或缩短。
why-ingest-unterminated-quote = 第 { $line } 行的引号到文件结尾也没有闭合；文件可能不完整，请重新上传。
why-ingest-stray-quote = 第 { $line } 行第 { $column } 列：右引号之后还有文字；引号内的引号须写两次。
why-ingest-column-name = 第 { $column } 列的表头不能用作列名（1 至 128 字节，不含控制字符）。
why-ingest-duplicate-column = 第 { $first } 列和第 { $second } 列同名（不区分大小写）；请改名。
why-ingest-reserved-column = 第 { $column } 列：以两个下划线开头的名称由系统保留；请改名。
why-ingest-too-many-columns = 文件超过 { $limit } 列；请检查分隔符，或拆分表格。
why-ingest-missing-column = 文件里没有已声明的列“{ $name }”；请更正表头或声明。
why-ingest-undeclared-column = 文件的第 { $column } 列没有声明；请补充声明或从文件中删去。
why-ingest-value = 第 { $line } 行，列“{ $name }”：值不是{ $expected }。{ $advice }
why-ingest-unsupported-column = 列“{ $name }”的 Parquet 类型不能放进表格（嵌套、二进制或间隔）；请去掉该列。
why-ingest-truncated = Parquet 文件没有结尾，上传不完整；请重新上传。
why-ingest-broken-parquet = Parquet 文件已损坏或使用了未知特性；请用较新的工具重新生成。
why-ingest-row-group-too-large = Parquet 文件中有一列的行组超过 { $limit } 字节；请用更小的行组重新生成。
why-ingest-needs-declaration = L2、L3 数据须先声明隐私单元（可以是每行一个单元），再读取文件。
why-ingest-wrong-level = 这个级别的数据，或其中有更高级别的信息项，不能在这里发布；请核对级别。
why-ingest-too-many-rows = 文件的行数超过声明的 { $limit }；请提高声明（须审查）或拆分数据。
why-ingest-too-many-units = 文件的隐私单元数超过声明的 { $limit }；请提高声明（须审查）。
why-ingest-no-valid-unit = 没有一行有有效的单位键；请核对声明的单位键列是否为相应的证件号或代码。
why-ingest-unit-not-static = 信息项“{ $name }”声明为每单元一个值，但有 { $units } 个单元有多个值（缺失也算一个值）。
why-ingest-option = 分隔符须为一个 ASCII 字符。
why-ingest-cancelled = 读取被取消；请重新上传。
why-ingest-unavailable = 系统故障，文件未能读取；请重新上传。
why-foreign-workbook = Excel 工作簿（xlsx，请导出为 UTF-8 编码的 CSV 后上传）
why-foreign-old-office = 旧版 Excel 或 Word 文件（请导出为 UTF-8 编码的 CSV 后上传）
why-foreign-zip = zip 压缩包（请解压后上传其中的文件）
why-foreign-gzip = gzip 压缩文件（请解压后上传其中的文件）
why-foreign-7z = 7z 压缩包（请解压后上传其中的文件）
why-foreign-rar = RAR 压缩包（请解压后上传其中的文件）
why-foreign-zstd = zstd 压缩文件（请解压后上传其中的文件）
why-foreign-pdf = PDF 文档（请上传制作它的表格）
why-foreign-arrow = Arrow 文件（请另存为 Parquet）
why-advice-integer = 请写不带千分位和单位的整数，或声明为文本。
why-advice-number = 请用小数点书写，不带千分位和单位，或声明为文本。
why-advice-boolean = 请写 true 或 false。
why-advice-date = 请写成 YYYY-MM-DD。
why-advice-timestamp = 请写成 YYYY-MM-DD HH:MM:SS。
why-advice-text = 请写 UTF-8 文本。

## 存储与数据库。

why-storage-full = 存储空间不足；请稍后重试，或联系运维人员。
why-storage-too-large = 上传超过上限 { $limit }；请拆分文件或申请更高的上限。
why-storage-name = “{ $name }”不能用作对象名：只能用小写字母、数字、“.”“-”“_”，最多 128 个。
why-exists = 数据库中已有同样的记录。
why-linked = 相关的记录不存在，或仍被使用。
why-stale = 内容刚被他人修改，请重新读取。
why-purse = { $purse }不足。
why-purse-project = 项目在此数据集上的预算
why-purse-everyone = 此数据集对所有人的总预算
why-purse-reserved = 此数据集除已预留给其他项目之外的预算
why-busy = 数据库暂时不可用，请稍后重试。

## 账号与令牌。

why-credentials = 用户名或密码错误。
why-throttled = 失败次数过多，请 { $seconds } 秒后再试。
why-taken = “{ $name }”已被使用，请换一个。
why-account-region = 地区须为 6、9 或 12 位 GB/T 2260 代码。
why-account-name = 姓名为 1 至 80 个字。
why-account-username = 用户名为 2 至 40 个 a-z、0-9、“.”“_”“-”，以字母开头。
why-account-role = { $kind }不能有“{ $role }”角色。
why-account-separate = 一人不能同时担任审查、审计和管理中的两项（GB/T 39477-2020）。
why-account-password = 密码至少 { $least } 个字，最多 { $most } 字节。
why-token-name = 令牌名称为 1 至 80 个字。
why-token-scope = 令牌至少要有一个权限范围。
why-token-days = 令牌的有效期为 1 至 { $most } 天；收到 { $got } 天。
why-token-count = 同时最多有 { $most } 个令牌，请先撤销一个。

## 申请与审查。

why-text-length = { $field }须为 { $min } 至 { $max } 个字，除换行外不含控制字符；现有 { $got } 个。
why-text-note = 说明
why-text-purpose = 用途
why-text-safeguards = 安全措施
why-text-reason = 理由
why-days = days 须为 1 至 { $most }；收到 { $got }。
why-dataset-count = 一份使用申请可包含 1 至 { $most } 个数据集；收到 { $got } 个。
why-dataset-twice = 数据集 { $slug } 出现了两次。
why-budget-without-access = 只有批准使用申请时才能给出预算。
why-not-releasable = 不能提交发布：{ $reason }
why-release-entry-changing = 条目刚被修改，请重新查看。
why-release-retired = 数据集已下线。
why-release-unclassified = 尚未定级；请先为数据集和信息项定级。
why-release-no-unit = 没有声明隐私单元（个人、企业、家庭、车辆或每行）。
why-release-no-recipe = 没有填写脱敏规则；评估机构需要据此评估。
why-release-listed = L4 条目已经公开；其数据不会发布。
why-release-no-reason = L4 条目须在开放条件中说明不开放的理由。
why-release-no-version = 没有已读取的版本；请先上传文件。
why-release-old-declaration = 第 { $number } 版是按以前的声明读取的；请重新上传。
why-release-still-reading = 第 { $number } 版仍在读取，请稍候。
why-release-nothing-new = 没有比第 { $number } 版更新的版本。
why-not-applicable = 不能申请 { $slug }：{ $reason }
why-apply-open = 它是不敏感（L1）数据，无需申请。
why-apply-closed = 它不予开放（L4）。
why-apply-draft = 它尚未发布。
why-apply-retired = 它已下线。
why-release-open = 此数据集已有一份发布申请在审查；请等待决定或先撤回。
why-opinion-missing = 评估意见尚未给出；请在其后决定。
why-found-unsafe = 评估认为不安全，因此不能批准；请退回或拒绝。
why-wrong-state = 申请的状态是“{ $state }”，不能再进行此操作。
why-request-stale = 申请刚被修改；请重新阅读后再决定。
why-request-changed = 申请的对象已有变化：{ $reason }请退回，以便重新提交。
why-change-edited = 条目刚被修改。
why-change-level = 数据集的级别已不同。
why-change-version = 第 { $number } 版现在的状态是“{ $state }”。
why-change-not-ready = 版本已不再就绪。
why-budget-range = { $what } 按现行规则须在 { $least } 至 { $most } 之间；收到 { $got }。
why-budget-not-available = { $slug } 的隐私预算不足：要批准 ε = { $asked }，而既未承诺给其他项目、也未永久消耗的最多为 ε = { $left }；请减少额度，或等待某个项目结束。

## 查询与作业。

why-sql-too-long = SQL 有 { $got } 字节，上限为 { $limit }。
why-sql-invalid = SQL 有误。查询引擎的原话：{ $reason }
why-sql-expected = 这里应为{ $wanted }，写的却是“{ $found }”。
why-sql-surplus = 从“{ $found }”起读不懂：前面的语句到此已经完整。
why-sql-breaks-off = 语句没有写完，还缺{ $wanted }。
why-sql-open-text = 文本没有结束：缺少右边的单引号。
why-sql-open-name = 名称没有结束：缺少右边的双引号。
why-sql-open-comment = 注释没有结束：缺少 */。
why-sql-function = 没有函数“{ $name }”。
why-sql-arguments = 函数“{ $name }”不能用于这样的参数：个数或类型不对。
why-sql-not-grouped = 列“{ $name }”既没有写进 GROUP BY，也没有放进统计函数。
why-sql-ambiguous = 不止一张表有列“{ $name }”，不知道指哪一个。
why-sql-types = 这里的值类型不同，不能这样运算或比较。
why-sql-filter = WHERE 里不能用 sum、count 等统计函数。
why-sql-union = UNION 的各个查询列数不同。
why-sql-empty = 没有查询语句。
why-sql-one = 一次只能写一条查询。
why-sql-deep = 查询嵌套过深。
why-sql-zero = 查询中出现了除以零。
why-sql-cast-integer = 文本“{ $text }”不能转换为整数。
why-sql-cast-number = 文本“{ $text }”不能转换为数字。
why-sql-cast-date = 文本“{ $text }”不能转换为日期。
why-sql-cast-time = 文本“{ $text }”不能转换为日期时间。
why-sql-overflow = 计算结果超出了数值类型的范围。
why-wish-expression = 列名、数值或表达式
why-wish-query = 一条 SELECT 查询
why-wish-name = 名称
why-wish-type = 数据类型
why-wish-text = 用单引号括起的文本
why-wish-number = 数字
why-wish-end = 语句结尾
why-wish-symbol = “{ $symbol }”
why-sql-expected-hint = 请检查标出的位置和它前面的一个词：常见原因是多了或少了逗号、括号或关键字。
why-sql-surplus-hint = 请检查标出的位置之前是否少了逗号、运算符或关键字；两条语句要分开运行。
why-sql-breaks-off-hint = 请在末尾补全；常见原因是括号没有配对，或最后一个关键字后面没有内容。
why-sql-open-hint = 请补上结尾的符号。文本用单引号，文本中的单引号写两遍；名称用双引号。
why-sql-function-hint = 请检查函数名的拼写；可用的是 PostgreSQL 风格的常用函数，例如 count、avg、round、date_trunc、substr。
why-sql-arguments-hint = 请对照列的类型检查参数；可用 CAST(列 AS 类型) 转换。
why-sql-not-grouped-hint = 请把它加进 GROUP BY，或写成 count、sum、avg、min、max 等统计函数的参数。
why-sql-ambiguous-hint = 请在列名前写上表名，例如 表名.列名。
why-sql-types-hint = 请用 CAST(列 AS 类型) 转换成同一类型；列的类型见“可用的表”。
why-sql-filter-hint = 对统计结果的条件请写在 HAVING 里。
why-sql-union-hint = 请让每个查询选出同样多的列。
why-sql-other-hint = 请对照“可用的表”核对表名、列名和类型。
why-sql-one-hint = 请只写一条 SELECT；可用 WITH 把几步写在一条里。
why-sql-deep-hint = 请减少括号或子查询的层数；可用 WITH 分步书写。
why-sql-zero-hint = 请把除数写成 NULLIF(除数, 0)：除数为零时结果为空值。
why-sql-cast-hint = 请先筛选出能转换的值，或用 TRY_CAST：不能转换的成为空值。
why-sql-overflow-hint = 请先用 CAST(列 AS DOUBLE) 转换再计算。
why-sql-table-hint = 请对照“可用的表”或数据集页面上的 SQL 表名；受保护的数据集只能在数据沙箱中查询。
why-sql-no-column = 这里不能用列名“{ $name }”。
why-sql-column-hint = 请对照数据集页面上的列名；含大写字母或符号的列名要用双引号括起。
why-sql-column = 没有“{ $name }”这一列；可用的列：{ $known }。
why-sql-statement = 不支持 { $name }：请只写一条查询公开数据集的 SELECT。
why-sql-no-query = 不支持这类语句：请只写一条查询公开数据集的 SELECT。
why-sql-placeholder = 不支持变量和参数：请直接写出值。
why-sql-concatenation = 不支持运算符 ||：请写 concat(a, b)。
why-sql-in-filter = 筛选条件里不支持{ $what }：完整查询请用 POST /api/v1/sql。
why-construct-subquery = 子查询
why-construct-aggregate = 聚合函数
why-construct-window = 窗口函数
why-construct-unnest = unnest
why-sql-table = 没有公开的表“{ $name }”；数据集的 SQL 名称是把标识中的连字符改为下划线。
why-sql-value = 查询在某个值上失败。查询引擎说：{ $reason }
why-sql-timeout = 查询在 { $seconds } 秒后被停止；请增加筛选条件，或直接下载文件。
why-sql-memory = 查询需要的内存或临时空间超过单个查询的上限；请减少分组或排序的行数。
why-sql-busy = 查询名额已满，请几秒后重试。
why-epsilon = 单个作业的 ε 须大于 0 且不超过 { $most }；收到 { $got }。
why-epsilon-small = ε = { $got } 过小，无法记账；请提高。
why-epsilon-or-precision = 请在 epsilon 与 precision 中任选其一。
why-precision-form = 精度可用 half_width 表示，或用 percent 与 of：真实值事先不公开，因此须给出您预期的数值。
why-half-width = 区间半宽须大于 0；收到 { $got }。
why-precision-column = 请指明哪一列需要这样的精度：{ $figures }。
why-precision-ranks = { $column } 的误差是位次误差，不能用数值的百分比表示；请以行数给出 half_width。
why-precision-in-ranks = 位次误差 ±{ $half_width } 行所需的 ε 超过单个作业上限 { $most }；用足上限时为 ±{ $best } 行。请减少列数或使用更粗的分组。
why-precision = ±{ $half_width } 所需的 ε 超过单个作业上限 { $most }；用足上限时为 ±{ $best }。请减少列数或使用更粗的分组。
why-no-budget = 项目在此数据集上没有预算。
why-budget-spent = { $purse }不足；按此 ε 还可提问 { $left } 次：请降低 ε，或等待窗口期内较早的消耗到期。
why-project-ended = 项目已结束，已有结果仍可查看；继续提问请重新申请。
why-nothing-to-query = 项目的数据集目前都不能查询。
why-dummy-rows = rows 须为 1 到 { $most }；收到 { $got }。
why-dummy-wide = 该数据集字段较多，最多生成 { $most } 行模拟数据。
why-not-due = 结果将于 { $moment } 发布。
why-withheld = 该特殊数据集的结果经审查未予发布，理由见作业页。
why-voted = 您已对此结果表决，意见不可更改。
why-seats-taken = 您可投的席位均已表决。

## 沙箱规则自己的话。

why-said = { $text }
why-about = { $what }（{ $about }）
